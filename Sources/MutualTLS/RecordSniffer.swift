import NIOCore

/// Looks at the first bytes of a connection, so that nothing is answered to what is not TLS.
struct RecordSniffer {
    /// The first bytes, at most four.
    private(set) var firstBytes: [UInt8] = []

    /// Whether the bytes so far begin a record of a handshake or an alert.
    mutating func accepts(_ bytes: ByteBuffer) -> Bool {
        if firstBytes.count < 4 {
            firstBytes += bytes.readableBytesView.prefix(4 - firstBytes.count)
        }
        guard let type = firstBytes.first else { return true }
        let isKnownType = type == 0x16 || type == 0x15
        return isKnownType && (firstBytes.count < 2 || firstBytes[1] == 0x03)
    }
}
