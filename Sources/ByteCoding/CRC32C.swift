internal import CCRC32C

/// CRC-32C (Castagnoli): the checksum of logs, tables and manifests.
public enum CRC32C {
    /// The checksum of `bytes`, continuing from `seed` (0 to start).
    public static func checksum(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe starling_crc32c(seed, $0.baseAddress, $0.count) }
    }

    /// The checksum of an array's bytes.
    public static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        checksum(bytes.span.bytes, seed: seed)
    }
}
