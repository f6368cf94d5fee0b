import NIOCore

/// Socket addresses as logs show them.
enum AddressText {
    /// `127.0.0.1:50123`, with brackets round an IPv6 address.
    static func of(_ address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
