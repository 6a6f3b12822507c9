// ES-module sources are transformed to CommonJS for Jest; worker threads and child processes run from dist/,
// which the global setup builds.
const config = {
  testEnvironment: "<rootDir>/test/support/environment.cjs",
  globalSetup: "<rootDir>/test/support/build.cjs",
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: {
          parser: { syntax: "typescript", decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: false, useDefineForClassFields: false },
          target: "es2022",
        },
        module: { type: "commonjs" },
      },
    ],
  },
  transformIgnorePatterns: ["/node_modules/(?!@huggingface/tokenizers)", "/dist/"],
  // In the realm of a test, every look at a global is slow; inner loops look at this one for each pixel.
  sandboxInjectedGlobals: ["Math"],
  modulePathIgnorePatterns: ["<rootDir>/dist"],
  // Nothing is timed: a test that hangs is told from one on a machine that does other work.
  testTimeout: 300_000,
  maxWorkers: 2,
};

// biome-ignore lint/style/noDefaultExport: Jest reads its configuration from the default export.
export default config;
