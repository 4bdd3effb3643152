import Foundation
import JobModel

/// Values as people read them.
package enum Formatting {
  package static func bytes(_ count: Int) -> String {
    var (value, unit) = (Double(count), 0)
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    // From here on it would be shown as 1024.0.
    while value >= (unit == 0 ? 1024 : 1023.95), unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return unit == 0 ? "\(count) B" : fixed(value, 1) + " " + units[unit]
  }

  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0 else { return "?" }
    if seconds < 10 { return fixed(seconds, 1) + " s" }
    let whole = Int(min(seconds, 1e9).rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  package static func fixed(_ value: Double, _ digits: Int) -> String {
    value.formatted(.number.precision(.fractionLength(digits)).grouping(.never).locale(Locale(identifier: "en_US_POSIX")))
  }

  /// Three significant digits; small numbers in scientific notation.
  package static func significant(_ value: Double?) -> String {
    guard let value else { return "–" }
    if value == 0 { return "0" }
    if abs(value) >= 0.001 && abs(value) < 10_000 {
      return value.formatted(.number.precision(.significantDigits(3)).grouping(.never).locale(Locale(identifier: "en_US_POSIX")))
    }
    let scientific = FloatingPointFormatStyle<Double>.number.notation(.scientific).precision(.fractionLength(2))
    return value.formatted(scientific.locale(Locale(identifier: "en_US_POSIX"))).replacing("E", with: "e")
  }

  /// A part of a whole, 0 to 1, in whole per cent.
  package static func percent(_ fraction: Double?) -> String { fraction.map { fixed($0 * 100, 0) + " %" } ?? "–" }

  package static func shape(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " × ") }

  package static func optional(_ value: (some CustomStringConvertible)?) -> String { value.map { "\($0)" } ?? "–" }
}
