package import ClientProtocol
import ClusterPrimitives

/// The bounds and periods of one node.
package struct NodeSettings: Sendable {
    /// The longest value a client may write, in bytes; 1 MiB.
    ///
    /// More costs memory per request, and no setting goes beyond 8 MiB.
    package var maximumValueSize = Limits.defaultValueSize
    /// Open requests of one lane; 8,192.
    ///
    /// Further ones are refused as overloaded.
    package var maximumOpenRequests = 8192
    /// The deadline of a request that names none; 2 s.
    package var defaultTimeout: Duration = .seconds(2)
    /// The longest deadline a request may ask for; 60 s.
    ///
    /// Longer ones are cut to it.
    package var maximumTimeout: Duration = .seconds(60)
    /// How long a read waits before it asks one more replica; 50 ms.
    ///
    /// Less hides slow replicas sooner and costs more reads.
    package var speculativeDelay: Duration = .milliseconds(50)
    /// The share of reads, in percent, that may ask one more replica; 5.
    package var speculativeBudget = 5
    /// How long a write waits for a datacenter's relay before it sends to the others there
    /// itself; 100 ms.
    package var relayDelay: Duration = .milliseconds(100)
    /// How long the id of an increment is remembered at least, so that a retry finds it; 10 min.
    ///
    /// More keeps more entries: a counter takes 4,096 of them.
    package var operationIDLifetime: Duration = .seconds(600)
    /// How often a node asks each peer for a sign of life; 250 ms.
    ///
    /// With it a silent peer reaches φ 8 after about 4.6 s.
    package var heartbeatPeriod: Duration = .milliseconds(250)
    /// The φ from which a peer is not used; 8.
    ///
    /// Less reacts sooner and errs more often.
    package var convictionThreshold = 8.0
    /// How long a schema change may take; 4 s, less than clients wait.
    package var schemaTimeout: Duration = .seconds(4)
    /// Frames kept back while a newer topology is fetched; 1,024.
    ///
    /// Further ones are handled under the topology at hand.
    package var maximumParkedFrames = 1024
    /// Bytes of those frames; 16 MiB.
    ///
    /// More lets a client with a wrong epoch hold more memory.
    package var maximumParkedSize = 16 * 1024 * 1024
    /// Whether `fault` requests are obeyed; off.
    package var allowsFaultInjection = false
    /// When a write counts as durable, for `status` to show; `group`.
    package var durability = StatusResponse.Durability.group
    /// The software version that `status` shows.
    package var softwareVersion = "0.1.0"

    /// The defaults.
    package init() {}
}
