import ClusterPrimitives
import Logging
import NodeRuntime
import Synchronization
import Testing

@Suite struct `Log lines` {
    private func line(_ metadata: Logger.Metadata) -> LogLine {
        LogLine(
            time: WallClockTime(milliseconds: 1_795_341_731_120),
            level: .info,
            label: "node",
            message: "node started",
            metadata: metadata
        )
    }

    @Test func `people see time, level, message and the values by key`() {
        let text = line(["node": "dc1-n1", "epoch": "7"]).text
        #expect(text.hasSuffix("Z INFO  node started epoch=7 node=dc1-n1"))
        #expect(text.hasPrefix("2026-11-22T"))
    }

    @Test func `a value can neither end the line nor pass for another key`() {
        let text = line(["reason": "a b\nERROR x=\"1\"\u{1B}[2J\u{85}"]).text
        #expect(text.hasSuffix(#"reason="a b\nERROR x=\"1\"\u001b[2J\u0085""#))
        #expect(line(["a": ""]).text.hasSuffix(#"a="""#))
    }

    @Test func `a JSON line is one object`() {
        let text = line(["node": "dc1-n1", "why": "a \"b\""]).json
        #expect(text.contains(#""level":"info","logger":"node","message":"node started""#))
        #expect(text.hasSuffix(#","node":"dc1-n1","why":"a \"b\""}"#))
    }

    @Test func `the level can change while the node runs`() {
        let lines = Lines()
        let output = LogOutput(format: .text, level: .info) { line in
            lines.all.withLock { $0.append(line) }
        }
        let logger = output.logger("node")
        logger.debug("unseen")
        output.minimumLevel = .debug
        logger.debug("seen", metadata: ["a": "1"])
        let written = lines.all.withLock { $0 }
        #expect(written.count == 1)
        #expect(written.first?.hasSuffix("DEBUG seen a=1\n") == true)
    }
}

/// Lines that were written, from any thread.
private final class Lines: Sendable {
    let all = Mutex<[String]>([])
}
