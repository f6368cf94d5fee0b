import Foundation

/// Numbers and tables for people.
enum Figure {
    /// Two decimals below ten, one below a thousand, commas between thousands above.
    static func text(_ value: Double) -> String {
        if abs(value) < 10 { return String(format: "%.2f", value) }
        if abs(value) < 1000 { return String(format: "%.1f", value) }
        let digits = String(format: "%.0f", abs(value))
        var groups = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { groups.append(",") }
            groups.append(digit)
        }
        return value < 0 ? "-\(groups)" : groups
    }

    /// Lines of cells in columns; the first `leftAligned` columns to the left, the others right.
    static func columns(_ cells: [[String]], leftAligned: Int) -> [String] {
        let count = cells.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            cells.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return cells.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column < leftAligned ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }
    }
}
