import Glibc

/// The hosts that a node's certificate may name.
enum HostName {
    /// A host as an entry of a subjectAltName.
    ///
    /// The text goes into OpenSSL's extension syntax, where a comma would begin another entry, so
    /// only addresses and plain DNS names pass.
    ///
    /// - Throws: `TLSError.argumentInvalid` for anything else, wildcards included.
    static func alternativeName(_ host: String) throws(TLSError) -> String {
        var address = in6_addr()
        if !host.utf8.contains(0) {
            if inet_pton(AF_INET, host, &address) == 1 { return "IP:" + host }
            if inet_pton(AF_INET6, host, &address) == 1 { return "IP:" + host }
        }
        let labels = host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isName =
            host.utf8.count <= 253
            && labels.allSatisfy { label in
                !label.isEmpty && label.count <= 63 && label.first != UInt8(ascii: "-")
                    && label.last != UInt8(ascii: "-") && label.allSatisfy(isLabelByte)
            }
        guard isName else {
            throw .argumentInvalid(argument: host, reason: "is no DNS name or IP address")
        }
        return "DNS:" + host
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default:
            false
        }
    }
}
