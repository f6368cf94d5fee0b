internal import ByteCoding
internal import ClientProtocol
public import ClusterPrimitives

/// What upkeep of one keyspace came to on one node.
public struct KeyspaceUpkeep: Sendable {
    /// The keyspace's name.
    public let keyspace: String
    /// What was done and found, or why it failed.
    public let result: Result<StoreUpkeepReport, StarlingError>
}

extension StarlingClient {
    /// Has one node flush, compact, verify or scrub its own tables; needs an admin's certificate.
    ///
    /// The answer comes when all is done, which may take hours. A node does one such job at a
    /// time, and goes on with it when this client leaves or its time is up.
    ///
    /// - Parameters:
    ///   - kind: the work.
    ///   - keyspace: the keyspace's name; nil for all, one after another.
    ///   - node: the node's name.
    ///   - timeout: how long the answer is waited for; a day.
    /// - Returns: an element for each keyspace.
    /// - Throws: `notFound` where there is no such node or keyspace, `cannotConnect` for a node
    ///   that cannot be reached, `overloaded` with the name of the job that the node is at.
    public func upkeep(
        _ kind: StoreUpkeep,
        of keyspace: String? = nil,
        on node: String,
        timeout: Duration = .seconds(86_400)
    ) async throws(StarlingError) -> [KeyspaceUpkeep] {
        let request = UpkeepRequest(kind: kind, keyspace: keyspace)
        let reply = try await perform(
            Operation(
                kind: .upkeep,
                answer: .upkeepReport,
                repetition: .useless,
                timeout: timeout,
                encode: { _, writer in request.encode(into: &writer) }
            ),
            on: [try await candidate(named: node)]
        )
        let response = try decode(reply, "upkeep report") { body, bytes throws(CodingError) in
            try UpkeepResponse(decoding: body, of: bytes)
        }
        return response.results.map { result in
            switch result.outcome {
            case .done(let report):
                KeyspaceUpkeep(keyspace: result.keyspace, result: .success(report))
            case .failed(let code, let message):
                KeyspaceUpkeep(
                    keyspace: result.keyspace,
                    result: .failure(StarlingError(StarlingError.Code(code), message))
                )
            }
        }
    }
}
