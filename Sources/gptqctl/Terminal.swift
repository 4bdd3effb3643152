import Foundation

/// Standard output for data, standard error for what a person reads beside it.
package enum Terminal {
  /// Whether progress can be redrawn in place.
  package static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Columns of the window; 80 if unknown.
  package static var width: Int {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  package static func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

  /// Writes at once, without a line's end.
  package static func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  /// Prints a JSON document as it came.
  package static func printJSON(_ data: Data) { show(String(decoding: data, as: UTF8.self) + "\n") }

  /// Goes to the start of the line and clears it.
  package static let clearLine = "\r\u{1B}[2K"
}
