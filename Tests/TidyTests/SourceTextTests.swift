import Testing

/// The reader of sources that all other rules rest on.
@Suite struct `Source text` {
    @Test func `comments and literals are not code`() {
        let source = SourceText(
            """
            let a = 1  // await
            let b = "await" + c
            /* await
               /* nested */ await */ let d = 2
            let e = #"await "quoted" await"# + f
            """
        )
        #expect(
            source.code == [
                "let a = 1  ",
                "let b = \"\" + c",
                "",
                " let d = 2",
                "let e = \"\" + f",
            ]
        )
    }

    @Test func `a literal of many lines ends where it says`() {
        let quotes = String(repeating: "\"", count: 3)
        let source = SourceText("let a = \(quotes)\n  await \"x\"\n  \(quotes)\nawait b")
        #expect(source.code == ["let a = \"\"", "", "", "await b"])
    }

    @Test func `an escaped quote does not end a literal`() {
        #expect(SourceText(#"let a = "x \" await" + b"#).code == [#"let a = "" + b"#])
    }
}
