internal import ClientProtocol

extension StarlingClient {
    /// Reads the members of a set; an absent one is empty.
    ///
    /// Where a node is named, its own copy alone is read, without asking or repairing the others.
    ///
    /// - Returns: a result whose contents are `set`.
    /// - Throws: `notFound` for an unknown keyspace or node, `invalid` where the keyspace holds no
    ///   sets.
    public func members(
        of key: [UInt8],
        in keyspace: String,
        options: ReadOptions = ReadOptions(),
        from node: String? = nil
    ) async throws(StarlingError) -> GetResult {
        try await read(.set, key, in: keyspace, options: options, from: node)
    }

    /// Adds members to a set: 1 to 10,000, each of up to 64 KiB.
    ///
    /// - Returns: how the write went; those that were there already change nothing.
    /// - Throws: `StarlingError`; its `written` says whether they may be added nonetheless.
    public func addMembers(
        _ members: [[UInt8]],
        to key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(members: members)
        return try await update(.add(members), key, in: keyspace, options: options)
    }

    /// Removes members from a set, as far as the options' context has seen them.
    ///
    /// Without a context, what a read at the level of the write sees is removed. A member that is
    /// added at the same time stays; in a keyspace of last-writer sets the later of an addition and
    /// a removal counts.
    ///
    /// - Returns: how the write went; those that are not there change nothing.
    /// - Throws: `StarlingError`; its `written` says whether they may be removed nonetheless.
    public func removeMembers(
        _ members: [[UInt8]],
        from key: [UInt8],
        in keyspace: String,
        options: WriteOptions = WriteOptions()
    ) async throws(StarlingError) -> PutResult {
        try Self.check(members: members)
        let options = try await seeing(.set, key, in: keyspace, options: options)
        return try await update(.remove(members), key, in: keyspace, options: options)
    }
}
