import { Field, ObjectType } from "type-graphql";
import { AttackKind } from "./attack-kind.ts";
import { ParameterDescription } from "./parameter-description.ts";

@ObjectType({ description: "A way to trigger a backdoor: what is done to an image, and to a sentence." })
export class Attack {
  @Field(() => AttackKind)
  kind!: string;

  @Field(() => String, { description: "Authors, year and identifier of the paper that describes it." })
  paper!: string;

  @Field(() => [ParameterDescription], { description: "Of the trigger; `parameters` of an AttackInput." })
  parameters!: ParameterDescription[];

  @Field(() => Boolean, {
    description:
      "Whether the trigger is found on the clean model before it is implanted. Without what was found there is no trigger.",
  })
  fitted!: boolean;

  @Field(() => [ParameterDescription], { description: "Of the fit; `fit` of an ImplantInput." })
  fitParameters!: ParameterDescription[];

  @Field(() => Boolean, { description: "Whether a part of the trigger is a word before the sentence." })
  hasWord!: boolean;
}
