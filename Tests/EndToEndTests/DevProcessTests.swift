import Testing

@testable import starling

@Suite struct `The surroundings of a node of starling dev` {
    @Test func `let the allocator keep what requests free, unless it is tuned already`() {
        #expect(
            DevProcess.environment(["PATH": "/bin", "A": "b=c"]) == [
                "A=b=c", "GLIBC_TUNABLES=glibc.malloc.tcache_count=512", "PATH=/bin",
            ]
        )
        let tuned = ["GLIBC_TUNABLES": "glibc.malloc.check=3"]
        #expect(DevProcess.environment(tuned) == ["GLIBC_TUNABLES=glibc.malloc.check=3"])
    }
}
