/** The layers of ARCHITECTURE.md: a row says what a folder may import; everything else is an error. */
const layers = {
  core: [],
  http: ["core"],
  archive: ["core"],
  oci: ["core", "archive"],
  git: ["core"],
  template: ["core"],
  "embedded-registry": ["core", "archive", "oci"],
  registry: ["core", "http", "archive", "oci"],
  config: ["core", "git", "template"],
  records: ["core", "archive", "oci"],
  build: ["core", "archive", "oci", "git", "config", "records"],
  bundle: ["core", "archive", "oci", "git", "config", "records"],
  cleanup: ["core", "oci", "git", "config", "records"],
  actions: [
    "core",
    "http",
    "archive",
    "oci",
    "git",
    "template",
    "embedded-registry",
    "registry",
    "config",
    "records",
    "build",
    "bundle",
    "cleanup",
  ],
  cli: [
    "core",
    "http",
    "archive",
    "oci",
    "git",
    "template",
    "embedded-registry",
    "registry",
    "config",
    "records",
    "build",
    "bundle",
    "cleanup",
    "actions",
  ],
};

const rows = Object.entries(layers).map(([folder, allowed]) => ({
  name: `layer-${folder}`,
  severity: "error",
  from: { path: `^src/${folder}/`, pathNot: "\\.test\\.ts$" },
  to: { path: "^src/", pathNot: `^src/(${[folder, ...allowed].join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...rows,
    {
      name: "no-circular",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "only-the-index-imports-a-vendor",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/registry/vendors/" },
      to: { path: "^src/registry/vendors/", pathNot: "^src/registry/vendors/(index|vendor)\\.ts$" },
    },
    {
      name: "no-tests-in-product",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.test\\.ts$" },
      to: { path: "(^test/|\\.test\\.ts$)" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
