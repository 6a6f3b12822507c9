import { registerEnumType } from "type-graphql";
import { OUTCOMES } from "../services/schedules/records.ts";

export const ScheduleOutcomeKind = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, outcome]));

registerEnumType(ScheduleOutcomeKind, {
  name: "ScheduleOutcomeKind",
  description: "What came of a scheduled evaluation.",
  valuesConfig: {
    PASSED: { description: "Every term of the gate was measured, and holds." },
    ROLLED_BACK: { description: "A term does not hold, and the alias was moved back." },
    NOWHERE_TO_RETURN: {
      description:
        "A term does not hold, but no earlier version of the alias has passed: it stays where it is.",
    },
    MOVED_MEANWHILE: { description: "A term does not hold, but somebody has moved the alias meanwhile." },
    INCOMPLETE: { description: "Something could not be measured, and nothing speaks against the version." },
  },
});
