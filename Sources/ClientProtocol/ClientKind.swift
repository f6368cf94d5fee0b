/// What a frame between a client and a node means.
///
/// Requests are below 64; the answer to each is a kind from 64 on, or `failure`. A node that ends
/// a connection in order, with TLS's close_notify, has acted on no request that it did not answer.
package enum ClientKind: UInt8, Sendable {
    // On the wire: never renumber.
    /// The first frame of a connection: `ClientHello`.
    case hello = 1
    /// `GetRequest`, answered by `value`.
    case get = 2
    /// `WriteRequest` with a value, answered by `written`.
    case put = 3
    /// `WriteRequest` without a value, answered by `written`.
    case delete = 4
    /// `ScanRequest`, answered by `page`.
    case scan = 5
    /// Empty; answered by `topology`.
    case describe = 6
    /// Empty; answered by `status`.
    case status = 7
    /// `CreateKeyspaceRequest`, answered by `topology`; for admins.
    case createKeyspace = 8
    /// `DropKeyspaceRequest`, answered by `topology`; for admins.
    case dropKeyspace = 9
    /// `FaultRequest`, answered by `done`; for admins, where the node's configuration allows it.
    case fault = 10
    /// `UpkeepRequest`, answered by `upkeepReport` when the work is done, perhaps hours later; for
    /// admins. The node goes on with it when the connection ends.
    case upkeep = 11
    /// `UpdateRequest`, answered by `written`.
    case update = 12

    /// `ClientHelloReply`.
    case helloReply = 64
    /// `ValueResponse`, also when there is no value.
    case value = 66
    /// `WrittenResponse`.
    case written = 67
    /// `PageResponse`.
    case page = 68
    /// The encoded topology.
    case topology = 69
    /// `StatusResponse`.
    case statusReport = 70
    /// Empty.
    case done = 71
    /// `UpkeepResponse`.
    case upkeepReport = 72
    /// `FailureResponse`.
    case failure = 127
}
