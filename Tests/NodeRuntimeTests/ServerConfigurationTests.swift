import ClusterPrimitives
import NodeRuntime
import Testing

@Suite struct `Node configuration` {
    private let minimal = """
        name: dc1-n1
        data_directory: data
        topology: ../topology.yaml
        certificate_authority: /etc/ca.crt
        certificate: n1.crt
        key: n1.key
        cluster_secrets: [n1.secret]

        """

    private func findings(_ text: String) -> [ConfigurationFinding] {
        do throws(ConfigurationError) {
            _ = try ServerConfiguration(text: text, file: "/etc/starling/node.yaml")
            return []
        } catch {
            return error.findings
        }
    }

    @Test func `paths begin at the file's directory and defaults are filled in`() throws {
        let configuration = try ServerConfiguration(text: minimal, file: "/etc/starling/node.yaml")
        #expect(configuration.dataDirectory == "/etc/starling/data")
        #expect(configuration.topology == "/etc/topology.yaml")
        #expect(configuration.certificateAuthority == "/etc/ca.crt")
        #expect(configuration.clusterSecrets == ["/etc/starling/n1.secret"])
        #expect(configuration.memoryBudget == 64 << 20)
        #expect(configuration.durability == .group)
        #expect(!configuration.faultInjection)
    }

    @Test func `the template is a valid configuration, also with every key switched on`() throws {
        _ = try ServerConfiguration(text: ServerConfiguration.template, file: "node.yaml")
        let keys = ServerConfiguration.template.split(separator: "\n").map { line in
            let rest = line.dropFirst(2)
            let name = rest.drop { $0 == " " }.prefix { $0 != ":" }
            let isKey =
                line.hasPrefix("# ") && name.allSatisfy { $0.isLowercase || $0 == "_" }
                && (rest.contains(": ") || rest.hasSuffix(":"))
            return isKey ? String(rest) : String(line)
        }
        let all = keys.joined(separator: "\n").replacing(
            "durability: group",
            with: "durability: periodic"
        ).replacing("parallel_compactions: 2", with: "parallel_compactions: 3")
        let configuration = try ServerConfiguration(text: all, file: "node.yaml")
        #expect(configuration.durability == .periodic(.milliseconds(10)))
        #expect(configuration.peerListen == Endpoint(host: "0.0.0.0", port: 7400))
        var storage = ServerConfiguration.Storage()
        storage.parallelCompactions = 3
        #expect(configuration.storage == storage)
    }

    @Test func `an unknown key is reported with its line and the nearest key`() {
        let found = findings(minimal + "lane: 2\n")
        #expect(
            found == [
                ConfigurationFinding(
                    path: "lane",
                    line: 8,
                    message: "is not a key of this file; did you mean 'lanes'?"
                )
            ]
        )
    }

    @Test func `all findings come at once, in the order of the file`() {
        let found = findings(
            """
            name: dc1/n1
            data_directory: data
            topology: [a]
            certificate_authority: ca.crt
            certificate: n1.crt
            cluster_secrets: []
            lanes: many
            memory_budget: 12 parsecs
            maximum_value_size: 9MiB
            handshake_timeout_ms: 1
            durability: grop
            fault_injection: maybe
            """
        )
        #expect(
            found.map(\.path) == [
                "name", "key", "topology", "cluster_secrets", "lanes", "memory_budget",
                "maximum_value_size", "handshake_timeout_ms", "durability", "fault_injection",
            ]
        )
        #expect(found.map(\.line) == [1, 1, 3, 6, 7, 8, 9, 10, 11, 12])
        #expect(found[6].message == "must be from 1 to 8MiB, and is 9MiB")
        #expect(found[8].message.hasSuffix("did you mean 'group'?"))
    }

    @Test func `what is wrong with the store's keys is told by their whole path`() throws {
        let found = findings(
            minimal
                + "storage:\n  cache_sise: 1MiB\n  disk_reserve: -1\n  parallel_compactions: 0\n"
                + "  open_files: 3\n"
        )
        #expect(
            found.map(\.path) == [
                "storage.cache_sise", "storage.disk_reserve", "storage.parallel_compactions",
                "storage.open_files",
            ]
        )
        #expect(found.first?.message.contains("cache_size") == true)
        #expect(findings(minimal + "storage: 1\n").map(\.path) == ["storage"])
        let none = try ServerConfiguration(
            text: minimal + "storage:\n  cache_size: 0\n  disk_reserve: 0\n",
            file: "/node.yaml"
        )
        #expect(none.storage.cacheSize == 0 && none.storage.diskReserve == 0)
    }

    @Test(arguments: ["- a\n- b\n", "", "name: [", "name: a\nname: b\n", "\u{0}"])
    func `what is no mapping is refused`(text: String) {
        #expect(!findings(text).isEmpty)
    }

    @Test func `an interval without periodic durability is refused`() {
        #expect(
            findings(minimal + "periodic_interval_ms: 5\n").map(\.path) == ["periodic_interval_ms"]
        )
    }

    @Test(arguments: [
        ("65536", 65536), ("64KiB", 65536), ("16MiB", 16 << 20), ("1GiB", 1 << 30), ("1.5MiB", nil),
        ("-1", nil), ("MiB", nil), ("", nil), ("9999999999999GiB", nil), ("64kb", nil), ("٣", nil),
    ])
    func `sizes are whole numbers of known units`(text: String, bytes: Int?) {
        #expect(ByteSize.bytes(of: text) == bytes)
    }
}
