import Glibc

/// Finds ports that nobody listens on.
enum FreePorts {
    /// The ports at which outgoing connections begin; a listener there could find its port taken
    /// by a connection of another node.
    private static let outgoing = 32_768

    /// The first of `count` ports in a row that are all free.
    static func range(of count: Int) throws -> Int {
        // The kernel's choice differs from run to run, which keeps parallel runs apart.
        let start = 10_000 + (try free(0) ?? 0) * 7 % (outgoing - 10_000 - count)
        for offset in stride(from: 0, to: outgoing - 10_000 - count, by: count) {
            let first = 10_000 + (start - 10_000 + offset) % (outgoing - 10_000 - count)
            if try (first..<(first + count)).allSatisfy({ try free($0) != nil }) { return first }
        }
        throw NoneFree(count: count)
    }

    struct NoneFree: Error {
        let count: Int
    }

    /// The port if it can be bound, or any when asked for port 0; nil when it is taken.
    private static func free(_ port: Int) throws -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                guard bind(descriptor, pointer, size) == 0,
                    getsockname(descriptor, pointer, &size) == 0
                else { return nil }
                return Int(
                    UInt16(
                        bigEndian: UnsafeRawPointer(pointer)
                            .load(fromByteOffset: 2, as: UInt16.self)
                    )
                )
            }
        }
    }
}
