import Foundation
import Testing
import gptqctl

@Suite struct TransferBoardTests {
  private final class Screen: @unchecked Sendable {
    private let lock = NSLock()
    /// Guarded by `lock`.
    private var text = ""
    func write(_ more: String) { lock.withLock { text += more } }
    var all: String { lock.withLock { text } }

    /// What a terminal shows in the end, as far as the board uses it.
    var lines: [String] {
      var lines: [String] = []
      for part in all.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
        var line = String(part)
        if let match = line.prefixMatch(of: /\u{1B}\[(\d+)F\u{1B}\[J/) {
          lines.removeLast(Int(match.1) ?? 0)
          line = String(line[match.range.upperBound...])
        }
        lines.append(line)
      }
      return lines
    }
  }

  private func entry(_ name: String, _ fraction: Double) -> TransferBoard.Entry { .init(name: name, label: "x", fraction: fraction) }

  @Test("On a terminal, files that go on are redrawn below those that ended")
  func redraws() {
    let screen = Screen()
    let board = TransferBoard(isInteractive: true, width: 80) { screen.write($0) }
    board.update(entry("a", 0))
    board.update(entry("b", 0))
    board.update(entry("a", 0.5))
    #expect(screen.lines.count == 2)
    #expect(screen.lines[0].contains(" 50%  a") && screen.lines[1].contains("  0%  b"))
    board.end("a", "a is there")
    board.update(entry("c", 0.25))
    board.end("b", nil)
    #expect(screen.lines.count == 2)
    #expect(screen.lines[0] == "a is there")
    #expect(screen.lines[1].contains(" 25%  c"))
  }

  @Test("Elsewhere, only what ended is written")
  func writesLines() {
    let screen = Screen()
    let board = TransferBoard(isInteractive: false, width: 80) { screen.write($0) }
    board.update(entry("a", 0.5))
    board.end("a", "a is there")
    board.end("b", nil)
    #expect(screen.all == "a is there\n")
  }
}
