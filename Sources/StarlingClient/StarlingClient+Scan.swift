internal import ByteCoding
internal import ClientProtocol
internal import ClusterPrimitives
internal import Partitioning

extension StarlingClient {
    /// Reads the entries of a keyspace that follow a position, in (token, key) order; without a
    /// position, the first ones.
    public func scan(
        _ name: String,
        from position: ScanPosition? = nil,
        options: ScanOptions = ScanOptions()
    ) async throws(StarlingError) -> ScanPage {
        let (keyspace, snapshot) = try await keyspace(name)
        let level = options.consistency ?? keyspace.readConsistency
        let cursor = position?.cursor ?? .start
        let entries = min(max(1, options.maximumEntries), ScanRequest.maximumPageEntries)
        let size = min(max(1, options.maximumSize), ScanRequest.maximumPageSize)
        let operation = Operation(
            kind: .scan,
            answer: .page,
            repetition: .harmless,
            timeout: options.timeout,
            level: level,
            encode: { milliseconds, writer in
                ScanRequest(
                    keyspace: keyspace.number,
                    level: options.consistency,
                    contents: options.keysOnly ? .keysOnly : .values,
                    timeout: milliseconds,
                    maximumEntries: UInt32(entries),
                    maximumSize: UInt32(size),
                    start: cursor,
                    prefix: options.prefix
                ).encode(into: &writer)
            }
        )
        let candidates = try candidates(
            for: Token(ordered: cursor.token),
            in: keyspace,
            of: snapshot,
            isLocalOnly: level.isLocal
        )
        let reply = try await performKnown(
            operation,
            on: candidates,
            isLocalOnly: level.isLocal
        )
        let page = try decode(reply, "page") { body, bytes throws(CodingError) in
            try PageResponse(decoding: body, of: bytes)
        }
        return ScanPage(
            entries: page.entries.map {
                ScanPage.Entry(key: $0.key, contents: snapshot.named($0.contents))
            },
            next: page.next.map(ScanPosition.init),
            repaired: Int(page.repaired)
        )
    }
}
