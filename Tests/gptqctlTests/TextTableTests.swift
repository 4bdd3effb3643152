import Testing
import gptqctl

@Suite struct TextTableTests {
  @Test("A table without rows is its heading")
  func empty() {
    #expect(TextTable([("a", .left), ("bc", .right)]).text == "a  bc\n─  ──")
  }

  @Test(
    "Columns are as wide as their widest cell, in characters", arguments: [("é", 5), ("e\u{301}", 5), ("∞ × 3", 5), ("longer one", 10)])
  func widths(_ cell: String, _ width: Int) {
    var table = TextTable([("title", .left), ("n", .right)])
    table.add([cell, "1"])
    let lines = table.text.split(separator: "\n")
    #expect(lines.map(\.count) == Array(repeating: width + 3, count: 3))
  }

  @Test("A row of empty cells is an empty line")
  func emptyCells() {
    var table = TextTable([("a", .left), ("b", .right)])
    table.add(["", ""])
    #expect(table.text.hasSuffix("─\n"))
  }

  @Test("A note has a line of its own and widens no column")
  func notes() {
    var table = TextTable([("a", .left), ("b", .right)])
    table.add(["x", "1"], note: "longer than the row")
    table.add(["y", "2"])
    #expect(table.text == "a  b\n─  ─\nx  1\n  longer than the row\ny  2")
  }
}
