import Foundation
import Service
import Testing

@Suite struct HTTPDateTests {
  /// The first is RFC 9110's own example (section 5.6.7).
  @Test(
    "Dates are IMF-fixdates in GMT, with two digits for each number",
    arguments: [
      (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
      (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
    ])
  func texts(seconds: Int, text: String) {
    #expect(HTTPDate.text(Date(timeIntervalSince1970: Double(seconds))) == text)
  }
}
