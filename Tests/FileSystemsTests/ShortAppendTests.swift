import FileSystems
import Testing

/// Files of which short appends are expected, which the machine's disk maps into memory.
@Suite struct `Short appends` {
    /// Records of lengths that meet pages and windows everywhere.
    private static func records(_ count: Int) -> [[UInt8]] {
        (0..<count).map { number in
            [UInt8](repeating: UInt8(number % 251), count: 1 + number * 37 % 5000)
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `each is there for readers at once, and nothing is behind the last once it is closed`(
        kind: DiskKind
    ) throws {
        try kind.run { disk, directory in
            let path = "\(directory)/log"
            let file = try disk.openForAppending(path, .createNew)
            file.expectShortAppends(upTo: 1 << 20)
            var expected: [UInt8] = []
            for record in Self.records(500) {
                try file.append(record)
                let got = try disk.openForReading(path)
                    .read(at: expected.count, count: record.count)
                #expect(got == record)
                expected += record
            }
            // Some lie behind the size that was told.
            #expect(expected.count > 1 << 20)
            try file.sync()
            try file.close()
            #expect(try disk.contents(path) == expected)
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `long ones between them, and going back, leave the bytes in order`(
        kind: DiskKind
    ) throws {
        try kind.run { disk, directory in
            let path = "\(directory)/log"
            let file = try disk.openForAppending(path, .createNew)
            file.expectShortAppends(upTo: 4 << 20)
            try file.append("first")
            let long = [UInt8](repeating: 7, count: 600_000)
            try file.append(long)
            try file.append("lost")
            try file.rewind(to: 5 + long.count)
            try file.append("last")
            try file.rewind(to: 1)
            try file.append("IRST")
            try file.append(long)
            try file.append("LAST")
            try file.close()
            #expect(try disk.contents(path) == Array("fIRST".utf8) + long + Array("LAST".utf8))
        }
    }

    @Test func `a file that is cut under its mapping takes the bytes by a call`() throws {
        try DiskKind.posix.run { disk, directory in
            let path = "\(directory)/log"
            let file = try disk.openForAppending(path, .createNew)
            file.expectShortAppends(upTo: 1 << 20)
            try file.append("before")
            try disk.truncate(path, to: 0)
            // The kernel refuses this store with SIGBUS.
            try file.append("behind")
            try file.append("and on")
            try file.sync()
            let zeros = [UInt8](repeating: 0, count: 6)
            #expect(
                try disk.openForReading(path).read(at: 0, count: 100)
                    == zeros + Array("behindand on".utf8)
            )
            try file.close()
        }
    }
}
