//! Which crate may depend on which of ours, and why.

/// Where to change the table.
pub(super) const FILE: &str = "xtask/src/deps_check/table.rs";

/// What one crate may name of ours.
pub(super) struct Row {
    /// The package's name.
    pub(super) package: &'static str,
    /// Allowed in `[dependencies]` and `[build-dependencies]`.
    pub(super) may_use: &'static [&'static str],
    /// Allowed in `[dev-dependencies]` besides `may_use`.
    pub(super) tests_may_use: &'static [&'static str],
    /// Shown to whoever breaks the rule.
    pub(super) why: &'static str,
}

const NOTHING: &[&str] = &[];
const CORE: &[&str] = &["hallpass-core"];
const TESTKIT: &[&str] = &["hallpass-testkit"];

/// The table, leaves first.
pub(super) const ROWS: &[Row] = &[
    Row {
        package: "hallpass-core",
        may_use: NOTHING,
        tests_may_use: TESTKIT,
        why: "values, rules and ports depend on no adapter",
    },
    Row {
        package: "hallpass-config",
        may_use: NOTHING,
        tests_may_use: TESTKIT,
        why: "plain structs; the binary turns them into the crates' own settings",
    },
    Row {
        package: "hallpass-telemetry",
        may_use: NOTHING,
        tests_may_use: TESTKIT,
        why: "logs, metrics and traces of any crate; it must know none of them",
    },
    Row {
        package: "hallpass-scan",
        may_use: NOTHING,
        tests_may_use: TESTKIT,
        why: "it checks repositories that have none of our server; it reads keys by rules of its own",
    },
    Row {
        package: "hallpass-sim",
        may_use: NOTHING,
        tests_may_use: TESTKIT,
        why: "it stands for OpenAI, so sharing our wire types would hide our mistakes",
    },
    Row {
        package: "hallpass-api",
        may_use: CORE,
        tests_may_use: TESTKIT,
        why: "wire types of our own API over the core's values",
    },
    Row {
        package: "hallpass-auth",
        may_use: CORE,
        tests_may_use: TESTKIT,
        why: "an adapter sees the core and no other adapter",
    },
    Row {
        package: "hallpass-upstream",
        may_use: &["hallpass-core", "hallpass-telemetry"],
        tests_may_use: TESTKIT,
        why: "an adapter sees the core and no other adapter; each attempt is a span of its own",
    },
    Row {
        package: "hallpass-relay",
        may_use: CORE,
        tests_may_use: TESTKIT,
        why: "an adapter sees the core and no other adapter",
    },
    Row {
        package: "hallpass-audit",
        may_use: CORE,
        tests_may_use: TESTKIT,
        why: "an adapter sees the core and no other adapter",
    },
    Row {
        package: "hallpass-store-memory",
        may_use: CORE,
        tests_may_use: TESTKIT,
        why: "an adapter sees the core and no other adapter",
    },
    Row {
        package: "hallpass-store-sqlite",
        may_use: CORE,
        tests_may_use: TESTKIT,
        why: "an adapter sees the core and no other adapter",
    },
    Row {
        package: "hallpass-store-postgres",
        may_use: CORE,
        tests_may_use: TESTKIT,
        why: "an adapter sees the core and no other adapter",
    },
    Row {
        package: "hallpass-store-redis",
        may_use: CORE,
        tests_may_use: &["hallpass-testkit", "hallpass-store-memory"],
        why: "an adapter sees the core and no other adapter; its tests hold it against the one in memory",
    },
    Row {
        package: "hallpass-http",
        may_use: &[
            "hallpass-core",
            "hallpass-api",
            "hallpass-auth",
            "hallpass-relay",
            "hallpass-telemetry",
        ],
        tests_may_use: &["hallpass-testkit", "hallpass-store-memory"],
        why: "handlers reach stores, trail and upstream through the core's ports",
    },
    Row {
        package: "hallpass-console",
        may_use: &["hallpass-core", "hallpass-api", "hallpass-http"],
        tests_may_use: TESTKIT,
        why: "pages beside the admin API: what they show comes through its parts and two ports of their own",
    },
    Row {
        package: "hallpass",
        may_use: &[
            "hallpass-core",
            "hallpass-api",
            "hallpass-audit",
            "hallpass-auth",
            "hallpass-config",
            "hallpass-console",
            "hallpass-http",
            "hallpass-relay",
            "hallpass-scan",
            "hallpass-sim",
            "hallpass-store-memory",
            "hallpass-store-postgres",
            "hallpass-store-redis",
            "hallpass-store-sqlite",
            "hallpass-telemetry",
            "hallpass-upstream",
        ],
        tests_may_use: TESTKIT,
        why: "the binary wires everything but test support",
    },
    Row {
        package: "hallpass-testkit",
        may_use: CORE,
        tests_may_use: NOTHING,
        why: "contract suites speak to ports; naming an adapter would turn the arrow round",
    },
    Row {
        package: "hallpass-fuzz-targets",
        may_use: &[
            "hallpass-core",
            "hallpass-auth",
            "hallpass-config",
            "hallpass-relay",
        ],
        tests_may_use: NOTHING,
        why: "it feeds parsers of foreign bytes, which need no server",
    },
    Row {
        package: "hallpass-bench",
        may_use: NOTHING,
        tests_may_use: NOTHING,
        why: "it measures the built binary from outside",
    },
    Row {
        package: "xtask",
        may_use: NOTHING,
        tests_may_use: NOTHING,
        why: "tasks must build, and quickly, when the product does not",
    },
];
