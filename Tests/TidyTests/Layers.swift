/// The modules in the order of their layers, lowest first, as `Package.swift` lists them.
enum Layers {
    /// A module may import only modules before it.
    static let order = [
        "CCRC32C", "CSHA256", "CSystemCalls", "COpenSSL", "CPrefetch", "CZlib", "ByteCoding",
        "ClusterPrimitives",
        "FileSystems",
        "Partitioning", "Membership", "Causality", "StorageEngine",
        "Replication", "ClientProtocol", "PeerProtocol",
        "NodeCore", "ObjectStorage",
        "MutualTLS", "NodeRuntime", "StarlingClient", "Simulation",
        "starling",
    ]

    /// Modules of pure logic: the same inputs give the same outputs in every run.
    static let pure: Set = [
        "ByteCoding", "ClusterPrimitives", "FileSystems", "Partitioning", "Membership",
        "Causality", "StorageEngine", "Replication", "ClientProtocol", "PeerProtocol",
        "NodeCore", "ObjectStorage",
    ]

    /// Modules whose runs a seed repeats: the pure ones, and the world that plays them.
    static let deterministic = pure.union(["Simulation"])

    /// Modules that lie above others in the list but are kept apart from them, with the reason.
    static let separated: [(module: String, from: String, reason: String)] = [
        ("ObjectStorage", "NodeCore", "they meet only in StorageJob and StorageResult"),
        ("Replication", "StorageEngine", "protocols ask the disk by StorageJob"),
        ("NodeCore", "StorageEngine", "the core asks the disk by StorageJob"),
        ("Simulation", "MutualTLS", "a simulated network has no sockets"),
        ("Simulation", "NodeRuntime", "the two worlds know nothing of each other"),
        ("Simulation", "StarlingClient", "a simulated client speaks by events"),
        ("StarlingClient", "NodeRuntime", "the SDK must not carry a server"),
        ("StarlingClient", "StorageEngine", "the SDK must not carry a storage engine"),
        ("MutualTLS", "NodeCore", "TLS knows nothing of the protocol it carries"),
    ]

    /// Modules from outside the package that pure modules may use.
    static let allowedOutside: Set = ["Synchronization", "CCRC32C", "CSHA256"]

    /// The only pure files that may speak to the operating system.
    static let systemFiles: Set = [
        "Sources/FileSystems/PosixFileSystem.swift",
        "Sources/FileSystems/EventCount.swift",
    ]
}
