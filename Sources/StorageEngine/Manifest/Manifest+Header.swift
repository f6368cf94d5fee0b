internal import ByteCoding

extension Manifest {
    /// Whether a manifest's header was written under an identity.
    static func isHeader(_ span: RawSpan, of identity: UInt64) -> Bool {
        guard span.byteCount >= headerSize else { return false }
        return LogFormat.word32(span, 12) == UInt64(identityCheck(identity))
    }

    /// The generation that a manifest's header names.
    ///
    /// - Throws: `corruption`, `foreignFile`, `unsupportedFormat`.
    static func generation(
        in span: RawSpan,
        of path: String,
        identity: UInt64
    ) throws(StorageError) -> UInt64 {
        func corrupt(_ expected: UInt64, _ found: UInt64, _ what: String) -> StorageError {
            .corruption(file: path, offset: 0, expected: expected, found: found, what: what)
        }
        guard span.byteCount >= headerSize else {
            throw corrupt(UInt64(headerSize), UInt64(span.byteCount), "the length of the header")
        }
        let magic = LogFormat.word(span, 0)
        guard magic == Self.magic else { throw corrupt(Self.magic, magic, "the magic number") }
        let checksum = LogFormat.word32(span, headerSize - 4)
        let found = UInt64(CRC32C.checksum(span.extracting(0..<headerSize - 4)))
        guard checksum == found else { throw corrupt(checksum, found, "the header") }
        let version = UInt32(truncatingIfNeeded: LogFormat.word32(span, 8))
        guard version == Self.version else {
            throw .unsupportedFormat(file: path, version: version)
        }
        guard isHeader(span, of: identity) else {
            throw .foreignFile(file: path, what: "it was written under another identity")
        }
        return LogFormat.word(span, 16)
    }

    /// The checksum that a record carries and that of its bytes, as far as they are there.
    static func checksums(
        in span: RawSpan,
        at offset: Int,
        _ identity: UInt64,
        _ generation: UInt64
    ) -> (expected: UInt64, found: UInt64) {
        var reader = ByteReader(ByteRange(offset: offset, count: span.byteCount - offset))
        do throws(CodingError) {
            let length = Int(try reader.uint32(in: span))
            let checksum = try reader.uint32(in: span)
            let range = try reader.range(min(length, reader.remaining))
            let found = CRC32C.checksum(
                span.extracting(range.offset..<range.end),
                seed: seed(identity, generation, offset)
            )
            return (UInt64(checksum), UInt64(found))
        } catch {
            return (8, UInt64(span.byteCount - offset))
        }
    }
}
