import ClusterPrimitives
import StarlingClient
import Testing

@testable import starling

@Suite struct `Profiles` {
    private let text = """
        cluster: dev
        datacenter: dc1
        certificate_authority: certs/ca.crt
        certificate: /absolute/admin.crt
        key: ../admin.key
        endpoints:
          - {address: "127.0.0.1:7401", datacenter: dc1, name: dc1-n1}
          - {address: "[::1]:7411"}
        """

    @Test func `relative paths start at the file's directory`() throws {
        let profile = try Profile(text: text, file: "/etc/starling/client.yaml")
        #expect(profile.cluster == "dev")
        #expect(profile.datacenter == "dc1")
        #expect(profile.authority == "/etc/starling/certs/ca.crt")
        #expect(profile.certificate == "/absolute/admin.crt")
        #expect(profile.key == "/etc/admin.key")
        #expect(profile.endpoints.map(\.name) == ["dc1-n1", nil])
        #expect(profile.endpoints.map(\.endpoint.port) == [7401, 7411])
    }

    private func refusal(_ from: String, _ to: String) -> CommandError? {
        do {
            _ = try Profile(text: text.replacing(from, with: to), file: "/p.yaml")
            return nil
        } catch {
            return error as? CommandError
        }
    }

    @Test func `an unknown key is refused with its path and the nearest known one`() {
        let top = refusal("datacenter: dc1\n", "datacentre: dc1\n")
        #expect(top?.message == "/p.yaml: unknown key 'datacentre'.")
        #expect(top?.advice == "Did you mean 'datacenter'?")
        #expect(top?.exit == .configuration)
        let nested = refusal("name: dc1-n1", "nmae: dc1-n1")
        #expect(nested?.message == "/p.yaml: unknown key 'endpoints[0].nmae'.")
        #expect(nested?.advice == "Did you mean 'name'?")
    }

    @Test(arguments: [
        ("cluster: dev", "cluster:"), ("cluster: dev", ""), ("key: ../admin.key", "key: [1]"),
        ("127.0.0.1:7401", "127.0.0.1"), ("127.0.0.1:7401", "127.0.0.1:0"),
        ("cluster: dev", "cluster: [dev"), ("cluster: dev", "cluster: dev\ncluster: dev"),
    ])
    func `a file that is not a profile exits with 78`(_ from: String, _ to: String) {
        #expect(refusal(from, to)?.exit == .configuration)
    }

    @Test func `a profile is looked for where the contract says, in its order`() throws {
        func location(_ argument: String?, _ files: [String]) throws -> ProfileDiscovery.Location {
            try ProfileDiscovery.location(argument: argument) { files.contains($0) }
        }
        let development = ProfileDiscovery.developmentFile
        let user = ProfileDiscovery.userFile
        #expect(try location("x/p", [development]).file == "x/p")
        #expect(try location("p.yaml", []).file == "p.yaml")
        #expect(try location("here", ["here"]).entry == nil)
        #expect(try location("prod", [development]).entry == .named("prod"))
        #expect(try location("prod", [development]).file == user)
        #expect(try location(nil, [development, user]).file == development)
        #expect(try location(nil, [user]).entry == .current)
        #expect {
            _ = try location(nil, [])
        } throws: { ($0 as? CommandError)?.exit == .configuration }
    }
}
