import ClusterPrimitives
import Foundation
import Logging
import NIOCore

extension ServerConfiguration {
    /// The machine's cores, at most 4.
    package static var defaultLanes: Int { min(max(System.coreCount, 1), 4) }

    /// Reads a node's configuration file.
    ///
    /// - Throws: every finding of the file at once.
    package init(file: String) throws(ConfigurationError) {
        try self.init(section: YAMLSection(file: file), file: file)
    }

    /// Reads a configuration from a text.
    ///
    /// `file`: the name for errors; relative paths begin at its directory.
    /// - Throws: every finding of the text at once.
    package init(text: String, file: String) throws(ConfigurationError) {
        try self.init(section: YAMLSection(text: text, file: file), file: file)
    }

    private init(section: YAMLSection, file: String) throws(ConfigurationError) {
        var section = section
        let directory = Self.directory(of: file)
        func path(_ text: String) -> String { Self.resolve(text, in: directory) }
        let name = section.requiredString("name")
        if let name, !Limits.isName(name) {
            section.report(
                "name",
                "must be 1 to 48 letters, digits, '-', '_' and '.', beginning with a letter or "
                    + "a digit, and is '\(name)'"
            )
        }
        let dataDirectory = section.requiredString("data_directory")
        let topology = section.requiredString("topology")
        let authority = section.requiredString("certificate_authority")
        let certificate = section.requiredString("certificate")
        let key = section.requiredString("key")
        let secrets = Self.secrets(in: &section)
        // Complete but for the empty texts of what is missing, which `finish` then throws for.
        self.init(
            name: name ?? "",
            dataDirectory: path(dataDirectory ?? ""),
            topology: path(topology ?? ""),
            certificateAuthority: path(authority ?? ""),
            certificate: path(certificate ?? ""),
            key: path(key ?? ""),
            clusterSecrets: secrets.map(path)
        )
        certificateRevocationList = section.string("certificate_revocation_list").map(path)
        readService(&section)
        readConnections(&section)
        readLogs(&section)
        try section.finish(file: file)
    }

    private static func secrets(in section: inout YAMLSection) -> [String] {
        guard section.has("cluster_secrets") else {
            section.report(
                "cluster_secrets",
                "is missing; list the file that came with the node's certificate"
            )
            return []
        }
        guard let secrets = section.strings("cluster_secrets") else { return [] }
        if !(1...8).contains(secrets.count) {
            section.report("cluster_secrets", "must list 1 to 8 files, and lists \(secrets.count)")
        }
        return secrets
    }

    private mutating func readService(_ section: inout YAMLSection) {
        peerListen = section.endpoint("peer_listen")
        clientListen = section.endpoint("client_listen")
        lanes = section.integer("lanes", in: 1...64) ?? lanes
        let mode = section.choice("durability", of: ["group", "periodic"])
        let interval = section.integer("periodic_interval_ms", in: 1...10_000)
        if mode == "periodic" {
            durability = .periodic(.milliseconds(interval ?? 10))
        } else if interval != nil {
            section.report("periodic_interval_ms", "has a meaning only with durability: periodic")
        }
        memoryBudget = section.size("memory_budget", in: 4 << 20...1 << 40) ?? memoryBudget
        section.section("storage") { section in
            storage.cacheSize = section.size("cache_size", in: 0...1 << 40) ?? storage.cacheSize
            storage.diskReserve =
                section.size("disk_reserve", in: 0...1 << 50) ?? storage.diskReserve
            storage.parallelCompactions =
                section.integer("parallel_compactions", in: 1...64) ?? storage.parallelCompactions
            storage.openFiles =
                section.integer("open_files", in: 16...1 << 20) ?? storage.openFiles
        }
        maximumValueSize =
            section.size("maximum_value_size", in: 1...Limits.maximumValueSize) ?? maximumValueSize
        faultInjection = section.flag("fault_injection") ?? faultInjection
    }

    private mutating func readConnections(_ section: inout YAMLSection) {
        let counts = 1...1_000_000
        maximumClientConnections =
            section.integer("maximum_client_connections", in: counts) ?? maximumClientConnections
        maximumPeerConnections =
            section.integer("maximum_peer_connections", in: counts) ?? maximumPeerConnections
        maximumUnauthenticatedConnections =
            section.integer("maximum_unauthenticated_connections", in: counts)
            ?? maximumUnauthenticatedConnections
        if let timeout = section.integer("handshake_timeout_ms", in: 100...60_000) {
            handshakeTimeout = .milliseconds(timeout)
        }
    }

    private mutating func readLogs(_ section: inout YAMLSection) {
        if let format = section.choice("log_format", of: LogFormat.allCases.map(\.rawValue)) {
            logFormat = LogFormat(rawValue: format) ?? logFormat
        }
        let levels: [Logger.Level] = [.trace, .debug, .info, .notice, .warning, .error]
        if let level = section.choice("log_level", of: levels.map(\.rawValue)) {
            logLevel = Logger.Level(rawValue: level) ?? logLevel
        }
    }

    private static func directory(of file: String) -> String {
        URL(fileURLWithPath: file).deletingLastPathComponent().path
    }

    private static func resolve(_ path: String, in directory: String) -> String {
        path.hasPrefix("/")
            ? path
            : URL(fileURLWithPath: path, relativeTo: URL(fileURLWithPath: directory + "/"))
                .standardizedFileURL.path
    }
}
