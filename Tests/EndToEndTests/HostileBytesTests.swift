import Foundation
import Glibc
import Testing

/// Bytes that are no TLS, or only the beginning of it, on both ports of a node.
@Suite(.timeLimit(.minutes(5))) struct `Bytes from strangers` {
    @Test func `neither port minds them, and the node goes on serving`() async throws {
        try await TestCluster.run(nodes: 1) { cluster in
            let messages: [(name: String, bytes: [UInt8])] = [
                ("nothing", []),
                ("HTTP", Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
                ("garbage", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) }),
                ("a length of 2 GiB", [0x7F, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0]),
                ("a record of 64 KiB that never comes", [22, 3, 1, 0xFF, 0xFF, 1]),
                ("half a handshake", [22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, 1, 2, 3]),
            ]
            for port in [cluster.peerPort(ofNode: 0), cluster.peerPort(ofNode: 0) + 1] {
                for message in messages {
                    var open: [Int32] = []
                    for _ in 0..<20 {
                        let connection = try #require(
                            Self.connect(to: port),
                            "port \(port) is closed after \(message.name)"
                        )
                        Self.send(message.bytes, to: connection)
                        open.append(connection)
                    }
                    let put = try await cluster.starling("put", "demo/k", message.name)
                    #expect(put.exit == 0, "after \(message.name) on \(port): \(put)")
                    for connection in open { close(connection) }
                }
            }
            let status = try await cluster.starling("status", "-o", "json")
            #expect(status.exit == 0, "\(status)")
        }
    }

    private static func connect(to port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    private static func send(_ bytes: [UInt8], to connection: Int32) {
        // Without a signal when the node has closed already.
        _ = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
