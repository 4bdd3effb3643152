import Foundation

/// Dates as the `Date` header has them: IMF-fixdate of RFC 9110, section 5.6.7.
package enum HTTPDate {
  static var now: String { text(Date()) }

  package static func text(_ date: Date) -> String { date.formatted(style) }

  /// nil where the text is no such date.
  static func date(_ text: String) -> Date? {
    try? Date(text, strategy: style.parseStrategy)
  }

  private static let style = Date.VerbatimFormatStyle(
    format: """
      \(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .padded(4)) \
      \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) GMT
      """, locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
}
