/// Rows in aligned columns with a heading; a row may have a note, a line of its own below it.
package struct TextTable {
  package enum Alignment: Sendable { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [(cells: [String], note: String?)] = []

  package init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  /// - Precondition: One cell a column.
  package mutating func add(_ cells: [String], note: String? = nil) {
    precondition(cells.count == columns.count)
    rows.append((cells, note))
  }

  package var text: String {
    let widths = columns.indices.map { column in
      max(columns[column].title.count, rows.map { $0.cells[column].count }.max() ?? 0)
    }
    func line(_ cells: [String]) -> String {
      let padded = zip(zip(cells, widths), columns).map { cell, column in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column.alignment == .left ? cell.0 + space : space + cell.0
      }
      let text = padded.joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return ([line(columns.map(\.title)), rule] + rows.flatMap { row in [line(row.cells)] + (row.note.map { ["  " + $0] } ?? []) }).joined(
      separator: "\n")
  }
}
