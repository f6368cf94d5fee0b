internal import Causality
internal import ClientProtocol

extension StarlingClient {
    /// Reads a counter; an absent one is 0.
    ///
    /// Where a node is named, its own copy alone is read, without asking or repairing the others.
    ///
    /// - Returns: a result whose contents are `counter`.
    /// - Throws: `notFound` for an unknown keyspace or node, `invalid` where the keyspace holds no
    ///   counters.
    public func counter(
        _ key: [UInt8],
        in keyspace: String,
        options: ReadOptions = ReadOptions(),
        from node: String? = nil
    ) async throws(StarlingError) -> GetResult {
        try await read(.counter, key, in: keyspace, options: options, from: node)
    }

    /// Adds an amount, which may be negative except to a grow-only counter.
    ///
    /// An operation's id, of up to 64 bytes that no other increment of the key has, makes the
    /// increment count only once however often it is sent: when its outcome is unknown it is sent
    /// again while there is time, and may be repeated later. Without one neither is safe.
    ///
    /// - Returns: a result whose `sum` is the coordinator's, the increment included.
    /// - Throws: `StarlingError`; its `written` says whether it may count nonetheless.
    public func increment(
        _ key: [UInt8],
        by amount: Int64 = 1,
        in keyspace: String,
        operationID: [UInt8] = [],
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        guard operationID.count <= CounterState.idSize.upperBound else {
            throw StarlingError(
                .tooLarge,
                "the operation's id has \(operationID.count) bytes, the most is "
                    + "\(CounterState.idSize.upperBound).",
                advice: "Use a shorter one, such as a UUID."
            )
        }
        var options = options
        options.retriesUnknownOutcome = true
        return try await update(
            .increment(amount, id: operationID),
            key,
            in: keyspace,
            options: options,
            isIdempotent: !operationID.isEmpty
        )
    }
}
