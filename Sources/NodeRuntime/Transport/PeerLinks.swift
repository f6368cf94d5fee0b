import ClusterPrimitives
import NIOCore
import Partitioning
import PeerProtocol
import Replication

/// A driver's links of one class, one to each other member.
///
/// Confined to the driver's loop.
struct PeerLinks {
    private let peerClass: PeerClass
    private let loop: any EventLoop
    /// By node number.
    private var links: [PeerLink?] = []

    init(peerClass: PeerClass, loop: any EventLoop) {
        self.peerClass = peerClass
        self.loop = loop
    }

    /// The link to a node; nil when it is no other member.
    subscript(node: NodeID) -> PeerLink? {
        Int(node.rawValue) < links.count ? links[Int(node.rawValue)] : nil
    }

    /// Opens links to new members and closes those to members that left or moved.
    mutating func update(_ view: ClusterView, owner: any PeerLinkOwner) {
        while links.count < view.nodeCount { links.append(nil) }
        for number in links.indices {
            let member = view.topology.member(NodeID(UInt16(number)))
            if let link = links[number], member?.peerEndpoint != link.endpoint {
                link.stop()
                links[number] = nil
            }
            guard let member, member.id != view.me, links[number] == nil else { continue }
            let link = PeerLink(
                to: member.id,
                name: member.name,
                endpoint: member.peerEndpoint,
                peerClass: peerClass,
                loop: loop,
                owner: owner
            )
            links[number] = link
            link.start()
        }
    }

    /// Closes all of them for good.
    mutating func stop() {
        for link in links { link?.stop() }
        links.removeAll()
    }
}
