import FileSystems
import Testing

@Suite struct `Going back in a file` {
    @Test(arguments: DiskKind.allCases)
    func `what is appended after going back goes over what is there`(kind: DiskKind) throws {
        try kind.run { disk, directory in
            let path = "\(directory)/a"
            let file = try disk.openForAppending(path, .createNew)
            try file.append("abcdef")
            try file.sync()
            try file.rewind(to: 2)
            #expect(try disk.text(path) == "abcdef")
            try file.append("12")
            #expect(try disk.text(path) == "ab12ef")
            try file.rewind(to: 4)
            try file.append("3456")
            try file.sync()
            #expect(try disk.text(path) == "ab123456")
        }
    }
}
