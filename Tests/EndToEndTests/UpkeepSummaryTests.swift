import ClusterPrimitives
import StarlingClient
import Testing

@testable import starling

@Suite struct `Figures of upkeep` {
    private static let scrubbed: StoreUpkeepReport = {
        var report = StoreUpkeepReport()
        report.tablesBefore = 3
        report.bytesRead = 4096
        report.damage = [
            .init(file: "f", offset: 8, expected: 255, found: 16, part: "a block", tokens: -1...7),
            .init(file: "g", offset: 0, expected: .max, found: 0, part: "footer", tokens: nil),
        ]
        report.salvagedTables = [12]
        report.quarantinedFiles = ["f.damaged"]
        report.lost = [.init(tokens: -1...7, newest: WallClockTime(milliseconds: 0))]
        return report
    }()

    private func columns(_ kind: StoreUpkeep, _ report: StoreUpkeepReport) -> UpkeepColumns {
        UpkeepColumns(kind: kind, report: report)
    }

    @Test(arguments: StoreUpkeep.allCases)
    func `fill the columns of their kind`(_ kind: StoreUpkeep) {
        let columns = columns(kind, Self.scrubbed)
        for isExact in [false, true] {
            #expect(columns.cells(isExact: isExact).count == UpkeepColumns.names(of: kind).count)
        }
    }

    @Test func `need someone where damage was only found`() {
        #expect(columns(.verify, Self.scrubbed).needsAttention)
        #expect(!columns(.verify, StoreUpkeepReport()).needsAttention)
        #expect(!columns(.scrub, Self.scrubbed).needsAttention)
        var busy = Self.scrubbed
        busy.skippedTables = [13]
        #expect(columns(.scrub, busy).needsAttention)
    }

    @Test func `have the contract's keys`() {
        #expect(
            JSONValue.object(columns(.scrub, Self.scrubbed).members).text == """
                {"tables":3,"bytes":4096,"damage":[{"file":"f","offset":8,"expected":"0xff",\
                "found":"0x10","part":"a block","tokens":{"first":"-1","last":"7"}},{"file":"g",\
                "offset":0,"expected":"0xffffffffffffffff","found":"0x0","part":"footer",\
                "tokens":null}],"salvaged_tables":[12],"quarantined_files":["f.damaged"],\
                "lost":[{"tokens":{"first":"-1","last":"7"},"newest":"1970-01-01T00:00:00.000Z"}],\
                "skipped_tables":[],"omitted":0}
                """
        )
        #expect(
            JSONValue.object(columns(.compact, StoreUpkeepReport()).members).text == """
                {"tables_before":0,"tables_after":0,"bytes_before":0,"bytes_after":0,\
                "tombstones_purged":0}
                """
        )
    }

    @Test func `are told with what to know for each finding`() {
        #expect(
            columns(.scrub, Self.scrubbed).details == [
                "f is damaged at byte 8: a block, expected 0xff, found 0x10; tokens -1 to 7 are "
                    + "unknown",
                "g is damaged at byte 0: footer, expected 0xffffffffffffffff, found 0x0",
                "the damaged file is kept as f.damaged",
                "records of tokens -1 to 7, written until 1970-01-01T00:00:00.000Z, may be lost "
                    + "here",
            ]
        )
    }
}
