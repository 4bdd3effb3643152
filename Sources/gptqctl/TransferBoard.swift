import Synchronization

/// The progress of several files at once: a line for each that ends, and on a terminal a bar for each that goes on.
package final class TransferBoard: Sendable {
  /// A file that goes on.
  package struct Entry: Sendable {
    package let name: String
    package var label: String
    package var fraction: Double

    package init(name: String, label: String, fraction: Double) { (self.name, self.label, self.fraction) = (name, label, fraction) }
  }

  private struct State {
    var entries: [Entry] = []
    var drawn = 0
  }

  private let isInteractive: Bool
  private let width: Int
  private let write: @Sendable (String) -> Void
  private let state = Mutex(State())

  package init(isInteractive: Bool, width: Int, write: @escaping @Sendable (String) -> Void) {
    (self.isInteractive, self.width, self.write) = (isInteractive, width, write)
  }

  package func update(_ entry: Entry) {
    state.withLock { state in
      if let index = state.entries.firstIndex(where: { $0.name == entry.name }) {
        state.entries[index] = entry
      } else {
        state.entries.append(entry)
      }
      redraw(&state)
    }
  }

  /// - Parameter line: What stays; nil: nothing.
  package func end(_ name: String, _ line: String?) {
    state.withLock { state in
      state.entries.removeAll { $0.name == name }
      redraw(&state, line)
    }
  }

  private func redraw(_ state: inout State, _ line: String? = nil) {
    var text = isInteractive && state.drawn > 0 ? "\u{1B}[\(state.drawn)F\u{1B}[J" : ""
    if let line { text += line + "\n" }
    if isInteractive {
      for entry in state.entries {
        text += ProgressBar.line(fraction: entry.fraction, label: "\(entry.name)  \(entry.label)", width: width) + "\n"
      }
      state.drawn = state.entries.count
    }
    if !text.isEmpty { write(text) }
  }
}
