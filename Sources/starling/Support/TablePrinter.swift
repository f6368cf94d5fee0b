/// Rows of text under a heading, aligned for people or between tabs for scripts.
struct TablePrinter {
    /// Where a column's text stands.
    enum Alignment {
        case left
        case right
    }

    private var header: [String]
    private var alignments: [Alignment]
    private var rows: [[String]] = []

    /// A table with these columns; the names of columns of figures end in `#`.
    init(_ columns: [String]) {
        header = columns.map { $0.hasSuffix("#") ? String($0.dropLast()) : $0 }
        alignments = columns.map { $0.hasSuffix("#") ? .right : .left }
    }

    /// Appends a row; it has as many texts as the table has columns.
    mutating func row(_ cells: [String]) {
        rows.append(cells)
    }

    /// The table; a plain one has no heading, and tabs instead of spaces.
    ///
    /// `paint` colours a cell; it gets the cell's row and column.
    func text(
        isPlain: Bool,
        paint: (_ row: Int, _ column: Int, _ cell: String) -> String = { $2 }
    ) -> String {
        if isPlain {
            return rows.map { $0.joined(separator: "\t") + "\n" }.joined()
        }
        let widths = header.indices.map { column in
            ([header] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        func line(_ cells: [String], _ paint: (Int, String) -> String) -> String {
            var text = ""
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: max(0, widths[column] - cell.count))
                if column > 0 { text += "  " }
                let isLast = column == cells.count - 1
                switch alignments[column] {
                case .left: text += paint(column, cell) + (isLast ? "" : padding)
                case .right: text += padding + paint(column, cell)
                }
            }
            return text + "\n"
        }
        return line(header) { $1 }
            + rows.enumerated().map { index, row in
                line(row) { paint(index, $0, $1) }
            }.joined()
    }
}
