import COpenSSL
import MutualTLS
import NIOCore
import NIOEmbedded
import Testing

private typealias Draft = TestCertificate.Draft

/// Authorities and the own files of one end, made once for the table.
final class TestWorld {
    let directory: TemporaryDirectory
    let root: TestCertificate
    let stranger: TestCertificate
    private let files: ClusterFiles

    init() throws {
        files = try ClusterFiles()
        directory = files.directory
        root = try TestCertificate(.authority("root"))
        stranger = try TestCertificate(.authority("root"))
        _ = try directory.write(root.pem, to: "root.crt")
    }

    /// A context whose own certificate is good and which trusts `root`.
    func context(
        _ role: TLSRole,
        revocationList: String? = nil,
        allowsTLS12: Bool = false
    ) throws -> TLSContext {
        var configuration = files.configuration(role == .clientClient ? "c1" : "n1")
        configuration.authorityFile = directory.file("root.crt")
        configuration.revocationListFile = revocationList
        configuration.allowsTLS12OnClientPort = allowsTLS12
        return try TLSContext(configuration, role: role)
    }
}

/// One peer that must be refused, and words of the reason that must be given.
struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let role: TLSRole
    let reason: String
    let expectedName: String?
    let credentials: @Sendable (TestWorld) throws -> TestCertificate?
    var testDescription: String { name }

    init(
        _ name: String,
        at role: TLSRole = .peerServer,
        _ reason: String,
        expectedName: String? = nil,
        _ credentials: @escaping @Sendable (TestWorld) throws -> TestCertificate?
    ) {
        self.name = name
        self.role = role
        self.reason = reason
        self.expectedName = expectedName
        self.credentials = credentials
    }

    /// A certificate signed by the trusted root.
    private static func signed(
        _ name: String,
        at role: TLSRole = .peerServer,
        _ reason: String,
        _ draft: Draft
    ) -> Refusal {
        Refusal(name, at: role, reason) { try TestCertificate(draft, issuer: $0.root) }
    }

    private static func uri(_ name: String, _ reason: String, _ names: [String]) -> Refusal {
        signed(name, reason, .node { $0.names = names })
    }

    static let all: [Refusal] =
        chains + fields + uris + [
            signed("client on the peer port", "is no node and may not use", .client()),
            signed("admin on the peer port", "is no node and may not use", .client("admin")),
            signed(
                "node on the client port",
                at: .clientServer,
                "is no client or admin and may not use",
                .node()
            ),
            signed(
                "client answers as a server",
                at: .clientClient,
                "unsuitable certificate purpose",
                .client()
            ),
            Refusal(
                "another node than the one dialled",
                at: .peerClient,
                "answered in place of \"n7\"",
                expectedName: "n7"
            ) { try TestCertificate(.node(), issuer: $0.root) },
            signed(
                "node of another cluster answers a client",
                at: .clientClient,
                "belongs to another cluster",
                .node { $0.names = ["URI:starling://fish/node/n2"] }
            ),
        ]

    private static let chains: [Refusal] = [
        Refusal("no certificate at all", "presented no certificate") { _ in nil },
        Refusal("wrong authority of the same name", "unable to get local issuer") {
            try TestCertificate(.node(), issuer: $0.stranger)
        },
        Refusal("wrong authority, seen by a client", at: .peerClient, "unable to get local issuer")
        {
            try TestCertificate(.node(), issuer: $0.stranger)
        },
        Refusal("self-signed", "self-signed certificate") { _ in try TestCertificate(.node()) },
        Refusal("two intermediates", "certificate chain too long") { world in
            let first = try TestCertificate(.authority("i1"), issuer: world.root)
            let second = try TestCertificate(.authority("i2"), issuer: first)
            return try TestCertificate(.node(), issuer: second)
        },
        Refusal("three intermediates", "certificate chain too long") { world in
            let first = try TestCertificate(.authority("i1"), issuer: world.root)
            let second = try TestCertificate(.authority("i2"), issuer: first)
            let third = try TestCertificate(.authority("i3"), issuer: second)
            return try TestCertificate(.node(), issuer: third)
        },
        Refusal("issued by a leaf", "invalid CA certificate") { world in
            let leaf = try TestCertificate(.node { $0.commonName = "leaf" }, issuer: world.root)
            return try TestCertificate(.node(), issuer: leaf)
        },
        Refusal("intermediate that has expired", "certificate has expired") { world in
            var draft = Draft.authority("i1")
            draft.begin = -9
            draft.end = -1
            return try TestCertificate(
                .node(),
                issuer: try TestCertificate(draft, issuer: world.root)
            )
        },
    ]

    private static let fields: [Refusal] = [
        signed(
            "expired",
            "certificate has expired (depth 0, subject CN=n2)",
            .node {
                $0.begin = -9
                $0.end = -1
            }
        ),
        signed("not yet valid", "certificate is not yet valid", .node { $0.begin = 2 }),
        signed(
            "tampered signature",
            "certificate signature failure",
            .node { $0.tampersWithSignature = true }
        ),
        signed("RSA of 1024 bits", "EE certificate key too weak", .node { $0.key = .rsa(1024) }),
        signed("signed with SHA-1", "CA signature digest algorithm", .node { $0.usesSHA1 = true }),
        signed(
            "authority as a leaf",
            "is an authority's (CA:TRUE)",
            .node {
                $0.basicConstraints = "critical,CA:TRUE"
                $0.keyUsage = "critical,digitalSignature,keyCertSign"
            }
        ),
        signed(
            "no extended key usage",
            "has no extended key usage",
            .node { $0.extendedKeyUsage = nil }
        ),
        signed(
            "server only, on a server",
            "unsuitable certificate purpose",
            .node { $0.extendedKeyUsage = "serverAuth" }
        ),
        signed(
            "node that may only be a client",
            "serverAuth and clientAuth only",
            .node { $0.extendedKeyUsage = "clientAuth" }
        ),
        signed(
            "client that may be a server",
            at: .clientServer,
            "clientAuth only",
            .client { $0.extendedKeyUsage = "serverAuth,clientAuth" }
        ),
        signed(
            "code signing too",
            "serverAuth and clientAuth only",
            .node { $0.extendedKeyUsage = "serverAuth,clientAuth,codeSigning" }
        ),
    ]

    private static let uris: [Refusal] = [
        uri("no alternative name: CN only", "carries no starling:// URI", []),
        uri("DNS name only", "carries no starling:// URI", ["DNS:n2"]),
        uri(
            "two identities",
            "2 URIs instead of one",
            ["URI:starling://birds/node/n2", "URI:starling://birds/node/n1"]
        ),
        uri(
            "an identity and a foreign URI",
            "2 URIs instead of one",
            ["URI:starling://birds/node/n2", "URI:https://example.org/"]
        ),
        uri("another scheme", "is not a starling:// URI", ["URI:spiffe://birds/node/n2"]),
        uri("scheme in capitals", "is not a starling:// URI", ["URI:STARLING://birds/node/n2"]),
        uri("another cluster", "belongs to another cluster", ["URI:starling://fish/node/n2"]),
        uri("wildcard for a name", "has a cluster or name", ["URI:starling://birds/node/*"]),
        uri("wildcard for the cluster", "has a cluster or name", ["URI:starling://*/node/n2"]),
        uri(
            "wildcard among DNS names",
            "carries a wildcard",
            ["URI:starling://birds/node/n2", "DNS:*.example.org"]
        ),
        uri("query", "has a cluster or name", ["URI:starling://birds/node/n2?x=1"]),
        uri("percent escape", "has a cluster or name", ["URI:starling://birds/node/n%32"]),
        uri("empty name", "has a cluster or name", ["URI:starling://birds/node/"]),
        uri("empty cluster", "has a cluster or name", ["URI:starling:///node/n2"]),
        uri("longer path", "is not of the form", ["URI:starling://birds/node/n2/x"]),
        uri("unknown class", "is not of the form", ["URI:starling://birds/root/n2"]),
        uri(
            "name of 49 bytes",
            "has a cluster or name",
            ["URI:starling://birds/node/" + String(repeating: "n", count: 49)]
        ),
    ]
}

@Suite struct `Refused peers` {
    private func converse(
        _ world: TestWorld,
        _ role: TLSRole,
        _ credentials: TestCertificate?,
        expectedName: String? = nil,
        revocationList: String? = nil
    ) throws -> Dialogue {
        let isClient = role == .peerClient || role == .clientClient
        let isPeerPort = role == .peerClient || role == .peerServer
        let dialogue = try Dialogue(
            context: try world.context(role, revocationList: revocationList),
            peer: RawPeer.Options(
                isServer: isClient,
                credentials: credentials,
                applicationProtocol: isPeerPort ? "starling-peer/1" : "starling-client/1"
            ),
            expectedName: expectedName
        )
        dialogue.channel.writeAndFlush(ByteBuffer(string: "secret"), promise: nil)
        try dialogue.run()
        return dialogue
    }

    private func expectRefusal(_ dialogue: Dialogue, _ reason: String) throws {
        let errors = dialogue.recorder.errors.map { "\($0)" }
        #expect(errors.count == 1 && errors[0].contains(reason), "\(errors)")
        #expect(dialogue.recorder.handshakes.isEmpty)
        #expect(dialogue.handler.peerIdentity == nil)
        // Even what a refused client sends at once goes nowhere, and nothing comes back.
        if dialogue.peer.isHandshakeComplete, dialogue.channel.isActive {
            try dialogue.deliver(dialogue.peer.write([1, 2, 3]))
        }
        #expect(dialogue.recorder.reads.isEmpty)
        #expect(dialogue.peer.received.isEmpty)
        #expect(dialogue.peer.failure?.contains("alert") == true, "\(dialogue.peer.failure ?? "-")")
        dialogue.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!dialogue.channel.isActive)
    }

    @Test(arguments: Refusal.all)
    func `a peer that breaks a rule is refused with an alert and the reason`(
        _ refusal: Refusal
    ) throws {
        let world = try TestWorld()
        let credentials = try refusal.credentials(world)
        let dialogue = try converse(
            world,
            refusal.role,
            credentials,
            expectedName: refusal.expectedName
        )
        try expectRefusal(dialogue, refusal.reason)
    }

    @Test func `a revoked certificate is refused, and one that is not revoked is let in`() throws {
        let world = try TestWorld()
        let revoked = try TestCertificate(.node(), issuer: world.root)
        let good = try TestCertificate(.node(), issuer: world.root)
        let list = try world.directory.write(
            world.root.revocationList(of: [revoked]),
            to: "list.crl"
        )
        try expectRefusal(
            converse(world, .peerServer, revoked, revocationList: list),
            "certificate revoked"
        )
        let dialogue = try converse(world, .peerServer, good, revocationList: list)
        #expect(dialogue.recorder.errors.isEmpty, "\(dialogue.recorder.errors)")
        #expect(dialogue.handler.peerIdentity?.uri == "starling://birds/node/n2")
    }

    @Test func `a revocation list of another authority refuses everybody`() throws {
        let world = try TestWorld()
        let other = try TestCertificate(.authority("other"))
        let list = try world.directory.write(other.revocationList(of: []), to: "list.crl")
        let good = try TestCertificate(.node(), issuer: world.root)
        try expectRefusal(
            converse(world, .peerServer, good, revocationList: list),
            "unable to get certificate CRL"
        )
    }

    @Test(arguments: [TLSRole.peerServer, .peerClient])
    func `a node is let in on the peer port, directly or through one intermediate`(
        role: TLSRole
    ) throws {
        let world = try TestWorld()
        let intermediate = try TestCertificate(.authority("i1"), issuer: world.root)
        for issuer in [world.root, intermediate] {
            let node = try TestCertificate(.node(), issuer: issuer)
            let dialogue = try converse(world, role, node)
            #expect(dialogue.recorder.errors.isEmpty, "\(dialogue.recorder.errors)")
            #expect(dialogue.recorder.handshakes == ["starling-peer/1"])
            #expect(dialogue.handler.peerIdentity?.uri == "starling://birds/node/n2")
            #expect(String(decoding: dialogue.peer.received, as: UTF8.self) == "secret")
        }
    }

    @Test(arguments: ["client", "admin"])
    func `a client and an admin are let in on the client port`(kind: String) throws {
        let world = try TestWorld()
        let client = try TestCertificate(.client(kind), issuer: world.root)
        let dialogue = try converse(world, .clientServer, client)
        #expect(dialogue.recorder.errors.isEmpty, "\(dialogue.recorder.errors)")
        #expect(dialogue.recorder.handshakes == ["starling-client/1"])
        #expect(dialogue.handler.peerIdentity?.uri == "starling://birds/\(kind)/c1")
    }

    @Test(arguments: [nil, "h2", "starling-client/1"])
    func `a peer that does not name the application protocol is refused`(
        name: String?
    ) throws {
        let world = try TestWorld()
        let dialogue = try Dialogue(
            context: try world.context(.peerServer),
            peer: RawPeer.Options(
                credentials: try TestCertificate(.node(), issuer: world.root),
                applicationProtocol: name
            )
        )
        try dialogue.run()
        try expectRefusal(dialogue, "does not speak starling-peer/1 (ALPN)")
    }

    @Test func `a server that names no application protocol is refused`() throws {
        let world = try TestWorld()
        let dialogue = try Dialogue(
            context: try world.context(.peerClient),
            peer: RawPeer.Options(
                isServer: true,
                credentials: try TestCertificate(.node(), issuer: world.root),
                applicationProtocol: nil
            )
        )
        try dialogue.run()
        try expectRefusal(dialogue, "does not speak starling-peer/1 (ALPN)")
    }

    @Test func `a certificate revoked after the handshake fails the check of a new context`() throws
    {
        let world = try TestWorld()
        let node = try TestCertificate(.node(), issuer: world.root)
        let dialogue = try converse(world, .peerServer, node)
        try dialogue.handler.checkPeer(against: world.context(.peerServer))
        let list = try world.directory.write(
            world.root.revocationList(of: [node]),
            to: "list.crl"
        )
        let renewed = try world.context(.peerServer, revocationList: list)
        #expect(
            throws: TLSError.verificationFailed(
                reason: "certificate revoked",
                depth: 0,
                subject: "CN=n2"
            )
        ) {
            try dialogue.handler.checkPeer(against: renewed)
        }
    }

    @Test(arguments: [true, false])
    func `TLS 1.2 is spoken on the client port only where it is allowed`(isAllowed: Bool) throws {
        let world = try TestWorld()
        let dialogue = try Dialogue(
            context: try world.context(.clientServer, allowsTLS12: isAllowed),
            peer: RawPeer.Options(
                credentials: try TestCertificate(.client(), issuer: world.root),
                applicationProtocol: "starling-client/1",
                highestVersion: TLS1_2_VERSION
            )
        )
        try dialogue.run()
        if isAllowed {
            #expect(dialogue.recorder.handshakes == ["starling-client/1"])
        } else {
            try expectRefusal(dialogue, "unsupported protocol")
        }
    }

    @Test func `TLS 1.2 is refused on the peer port`() throws {
        let world = try TestWorld()
        let dialogue = try Dialogue(
            context: try world.context(.peerServer),
            peer: RawPeer.Options(
                credentials: try TestCertificate(.node(), issuer: world.root),
                highestVersion: TLS1_2_VERSION
            )
        )
        try dialogue.run()
        try expectRefusal(dialogue, "unsupported protocol")
    }
}
