// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// A library target of this package; it may depend only on targets listed above it.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The tests of one target.
func tests(
    _ name: String,
    _ dependencies: [Target.Dependency],
    exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name,
        dependencies: ["TestSupport"] + dependencies,
        exclude: exclude,
        resources: resources,
        swiftSettings: settings
    )
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(
    name: "ServiceLifecycle",
    package: "swift-service-lifecycle"
)
let unixSignals = Target.Dependency.product(
    name: "UnixSignals",
    package: "swift-service-lifecycle"
)
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let argumentParser = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "starling",
    products: [
        .executable(name: "starling", targets: ["starling"]),
        .library(name: "StarlingClient", targets: ["StarlingClient"]),
        .library(name: "StorageEngine", targets: ["StorageEngine"]),
    ],
    dependencies: [
        // Event loops, sockets and byte buffers of the real world.
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        // Structured logs of a node.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        // Start, signals and graceful shutdown of a node.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // The command line.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        // Latency histograms of `starling bench`.
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        // Configuration, profile and topology files.
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // Ground.
        .target(name: "CCRC32C"),
        .target(name: "CSHA256"),
        // Locks, futexes, guarded stores to mappings and writing ahead of a sync, which Swift has not.
        .target(name: "CSystemCalls"),
        .systemLibrary(
            name: "COpenSSL",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"])]
        ),
        // One instruction that Swift does not offer; a header and nothing to link.
        .systemLibrary(name: "CPrefetch"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        module("ByteCoding", ["CCRC32C", "CSHA256"]),
        module("ClusterPrimitives"),
        module("FileSystems", ["CSystemCalls", "ClusterPrimitives"]),

        // Domain.
        module("Partitioning", ["ByteCoding", "ClusterPrimitives"]),
        module("Membership", ["ClusterPrimitives"]),
        module("Causality", ["ByteCoding", "ClusterPrimitives"]),
        module(
            "StorageEngine",
            ["CPrefetch", "CZlib", "ByteCoding", "ClusterPrimitives", "FileSystems"]
        ),

        // Protocols.
        module(
            "Replication",
            ["ByteCoding", "ClusterPrimitives", "Partitioning", "Membership", "Causality"]
        ),
        module(
            "ClientProtocol",
            ["ByteCoding", "ClusterPrimitives", "Causality"]
        ),
        module(
            "PeerProtocol",
            ["ByteCoding", "ClusterPrimitives", "Partitioning", "Causality", "Replication"]
        ),

        // Node.
        module(
            "NodeCore",
            [
                "ByteCoding", "ClusterPrimitives", "Partitioning", "Membership", "Causality",
                "Replication", "ClientProtocol", "PeerProtocol",
            ]
        ),
        module(
            "ObjectStorage",
            [
                "ByteCoding", "ClusterPrimitives", "FileSystems", "Partitioning", "Causality",
                "StorageEngine", "Replication",
            ]
        ),

        // Worlds.
        module("MutualTLS", ["COpenSSL", nioCore, nioTLS]),
        module(
            "NodeRuntime",
            [
                "ByteCoding", "ClusterPrimitives", "FileSystems", "Partitioning", "Membership",
                "Causality", "Replication", "ClientProtocol", "PeerProtocol", "NodeCore",
                "StorageEngine", "ObjectStorage", "MutualTLS", nioCore, nioPosix, nioTLS,
                logging, lifecycle, unixSignals, yams,
            ]
        ),
        module(
            "StarlingClient",
            [
                "ByteCoding", "ClusterPrimitives", "Partitioning", "Causality", "ClientProtocol",
                "MutualTLS", nioCore, nioPosix, nioTLS,
            ]
        ),
        module(
            "Simulation",
            [
                "ByteCoding", "ClusterPrimitives", "FileSystems", "Partitioning", "Membership",
                "Causality", "Replication", "ClientProtocol", "PeerProtocol", "NodeCore",
                "StorageEngine", "ObjectStorage",
            ]
        ),

        // Program.
        .executableTarget(
            name: "starling",
            dependencies: [
                "ByteCoding", "ClusterPrimitives", "FileSystems", "Partitioning", "Causality",
                "Replication", "ClientProtocol", "ObjectStorage", "MutualTLS", "NodeRuntime",
                "StarlingClient", "Simulation",
                argumentParser, logging, lifecycle, unixSignals, histogram, yams, nioCore, nioPosix,
            ],
            swiftSettings: settings
        ),

        // Tests.
        .executableTarget(
            name: "engine-torture",
            dependencies: ["StorageEngine", "FileSystems", "ByteCoding", "ClusterPrimitives"],
            path: "Tests/Torture",
            exclude: ["README.md"],
            swiftSettings: settings
        ),
        // A benchmark of modules that are no product, which another package could not import.
        .executableTarget(
            name: "coordinator-cost",
            dependencies: [
                "ByteCoding", "ClusterPrimitives", "FileSystems", "Partitioning", "Causality",
                "StorageEngine", "Replication", "ClientProtocol", "PeerProtocol", "NodeCore",
                "ObjectStorage", argumentParser,
            ],
            path: "Benchmarks/Sources/coordinator-cost",
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["ClusterPrimitives"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .target(
            name: "FrameFuzzing",
            dependencies: [
                "ByteCoding", "ClusterPrimitives", "Partitioning", "Causality", "Replication",
                "ClientProtocol", "PeerProtocol",
            ],
            path: "Tests/Fuzzing",
            exclude: ["FrameFuzzer.swift", "README.md"],
            swiftSettings: settings
        ),
        tests("ByteCodingTests", ["ByteCoding", "ClusterPrimitives"]),
        tests("FileSystemsTests", ["FileSystems", "ClusterPrimitives"]),
        tests(
            "PartitioningTests",
            ["Partitioning", "ClusterPrimitives", "ByteCoding"],
            resources: [.copy("Fixtures")]
        ),
        tests("MembershipTests", ["Membership", "ClusterPrimitives"]),
        tests("CausalityTests", ["Causality", "ByteCoding", "ClusterPrimitives"]),
        tests(
            "StorageEngineTests",
            ["StorageEngine", "FileSystems", "ByteCoding", "ClusterPrimitives"],
            exclude: ["Scenarios"]
        ),
        tests(
            "ReplicationTests",
            [
                "Replication", "Partitioning", "Membership", "Causality", "ByteCoding",
                "ClusterPrimitives",
            ],
            exclude: ["Scenarios"]
        ),
        tests(
            "ProtocolTests",
            [
                "ClientProtocol", "PeerProtocol", "Replication", "Partitioning", "Causality",
                "ByteCoding", "ClusterPrimitives", "FrameFuzzing",
            ],
            exclude: ["Scenarios"]
        ),
        tests(
            "NodeCoreTests",
            [
                "NodeCore", "ClientProtocol", "PeerProtocol", "Replication", "Partitioning",
                "Membership", "Causality", "ByteCoding", "ClusterPrimitives",
            ]
        ),
        tests(
            "ObjectStorageTests",
            [
                "ObjectStorage", "StorageEngine", "Replication", "Partitioning", "Causality",
                "FileSystems", "ByteCoding", "ClusterPrimitives",
            ]
        ),
        tests("MutualTLSTests", ["MutualTLS", "COpenSSL", nioCore, nioPosix, nioEmbedded, nioTLS]),
        tests(
            "NodeRuntimeTests",
            [
                "NodeRuntime", "ByteCoding", "Partitioning", "ClusterPrimitives", "MutualTLS",
                nioCore, nioPosix, nioEmbedded, logging,
            ]
        ),
        tests(
            "StarlingClientTests",
            [
                "StarlingClient", "ClientProtocol", "Partitioning", "MutualTLS", "Causality",
                "ByteCoding", "ClusterPrimitives", nioCore, nioPosix, nioEmbedded, nioTLS,
            ]
        ),
        tests("SimulationTests", ["Simulation", "Partitioning", "ClusterPrimitives"]),
        tests(
            "EndToEndTests",
            ["starling", "StarlingClient", "Partitioning", "ClusterPrimitives"]
        ),
        tests("TidyTests", []),
    ],
    swiftLanguageModes: [.v6]
)
