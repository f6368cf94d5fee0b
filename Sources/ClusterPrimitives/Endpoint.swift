/// A host and a port, as written in configurations: `127.0.0.1:7400`, `[::1]:7400`, `db1:7400`.
public struct Endpoint: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// An address or a name, without brackets.
    public let host: String
    /// 1…65,535; 0 where a listener may choose.
    public let port: UInt16

    /// The endpoint of a host and a port.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`; nil when it is not of that form.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.utf8.count <= 255 else { return nil }
        self.init(host: host, port: port)
    }

    /// `host:port`, with brackets where the host holds a colon.
    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Orders by host, then port.
    public static func < (left: Endpoint, right: Endpoint) -> Bool {
        (left.host, left.port) < (right.host, right.port)
    }
}
