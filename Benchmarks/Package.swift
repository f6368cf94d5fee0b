// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let engine = Target.Dependency.product(name: "StorageEngine", package: "starling")
let client = Target.Dependency.product(name: "StarlingClient", package: "starling")
let argumentParser = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)

let package = Package(
    name: "starling-benchmarks",
    dependencies: [
        // Named, since a checkout's folder may have any name.
        .package(name: "starling", path: ".."),
        // The command lines.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    ],
    targets: [
        // The work itself, written once; the drivers lend it their stores.
        .target(name: "Workload"),
        .executableTarget(
            name: "rocksdb-driver",
            dependencies: ["Workload"],
            linkerSettings: [.linkedLibrary("rocksdb")]
        ),
        .executableTarget(
            name: "leveldb-driver",
            dependencies: ["Workload"],
            linkerSettings: [.linkedLibrary("leveldb")]
        ),
        .executableTarget(
            name: "starling-driver",
            dependencies: ["Workload", engine],
            swiftSettings: settings
        ),
        // It runs the drivers as processes: they are dependencies so that they are built with it.
        .executableTarget(
            name: "engine-comparison",
            dependencies: ["rocksdb-driver", "leveldb-driver", "starling-driver", argumentParser],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "compaction-latency",
            dependencies: [engine, argumentParser],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "node-cost",
            dependencies: [client, argumentParser],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
