import Foundation

extension Double {
  /// Seconds for a table: four digits.
  var asSeconds: String { String(format: self < 10 ? "%.3f" : "%.1f", self) }

  func rounded(decimals: Int) -> String { String(format: "%.*f", decimals, self) }

  var asPercentage: String { rounded(percentDecimals: self < 0.1 ? 1 : 0) }

  private func rounded(percentDecimals: Int) -> String { String(format: "%.*f %%", percentDecimals, self * 100) }
}

extension Int {
  /// Bytes in GiB.
  var asGibibytes: String { (Double(self) / Double(1 << 30)).rounded(decimals: 2) }
}
