import Causality
import ClusterPrimitives
import Replication
import Testing

@Suite struct `Write coordination` {
    private let version = Version(
        timestamp: HybridTimestamp(rawValue: 1 << 20),
        node: NodeID(1),
        lane: 0
    )

    private func write() throws -> WriteCoordination {
        let (plan, view) = try `Quorum rule`.plan(3, 0)
        guard
            case .rule(let rule) = QuorumRule.make(.quorum, plan: plan, local: view.localDatacenter)
        else { throw CancellationError() }
        var write = WriteCoordination(plan: plan, rule: rule, version: version)
        for index in 0..<3 { write.contact(index) }
        return write
    }

    private func isRefused(_ write: WriteCoordination) -> Bool? {
        if case .impossible(let isRefused) = write.verdict { isRefused } else { nil }
    }

    @Test func `is refused only when every replica reported that it applied nothing`() throws {
        var write = try write()
        for index in 0..<3 {
            #expect(isRefused(write) != true)
            write.receive(.overloaded, version: version, shadow: .zero, from: index)
        }
        #expect(isRefused(write) == true)
    }

    @Test func `is never refused where a second copy was sent, since the first may come yet`()
        throws
    {
        var write = try write()
        write.contactAgain(2)
        for index in 0..<3 {
            write.receive(.overloaded, version: version, shadow: .zero, from: index)
        }
        #expect(isRefused(write) == false)
    }

    @Test func `counts acknowledgements of its own stamp alone`() throws {
        var write = try write()
        write.receive(.shadowed, version: version, shadow: version, from: 0)
        let second = Version(timestamp: version.timestamp.next, node: NodeID(1), lane: 0)
        write.restamp(second)
        for index in 0..<3 { write.contact(index) }
        for index in 0..<3 {
            let counted = write.receive(.applied, version: version, shadow: .zero, from: index)
            #expect(!counted)
        }
        guard case .waiting = write.verdict else {
            Issue.record("acknowledgements of the first stamp counted for the second")
            return
        }
        write.receive(.applied, version: second, shadow: .zero, from: 0)
        write.receive(.applied, version: second, shadow: .zero, from: 2)
        guard case .reached = write.verdict else {
            Issue.record("two of three acknowledgements were no quorum")
            return
        }
    }
}
