import ByteCoding
import Causality

/// What a node does first with bytes of a stranger: cut frames, read bodies and stored records.
package enum FrameFuzzing {
    /// Cuts frames from the bytes and reads each body as every kind that its header may mean, in
    /// both protocols.
    ///
    /// Traps where a body is accepted but would be written otherwise; everything that it calls
    /// may refuse the bytes, and nothing may trap.
    ///
    /// - Returns: how many bodies were accepted.
    @discardableResult
    package static func exercise(_ bytes: [UInt8]) -> Int {
        var accepted = 0
        var offset = 0
        let span = bytes.span.bytes
        while case .frame(let header, let body)? = try? Frame.cut(
            span,
            at: offset,
            limit: Frame.maximumBodySize
        ) {
            for codec in MessageCodec.all where codec.kind == header.kind {
                guard let again = try? codec.recode(body, span) else { continue }
                precondition(again == span.array(body), "\(codec.name) is not canonical")
                accepted += 1
            }
            offset = body.end
        }
        let rest = ByteRange(offset: min(offset, bytes.count), count: max(0, bytes.count - offset))
        if let record = try? StoredRecord(decoding: rest, of: span) {
            precondition(record.value.end == bytes.count, "a record ends before its bytes do")
            accepted += 1
        }
        for mode in RecordMode.allCases where (try? mode.summary(rest, of: span)) != nil {
            let record = span.array(rest)
            precondition(mode.joined(record, record) == record, "\(mode) joins a record to another")
            accepted += 1
        }
        return accepted
    }
}
