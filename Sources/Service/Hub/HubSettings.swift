import Foundation

/// Where models come from that a job names by repository.
public struct HubSettings: Sendable, Hashable {
  /// Address below which the Hub protocol is spoken; nil: such jobs are refused.
  public var endpoint: URL?
  /// Sent to the endpoint, and nowhere else.
  public var token: Secret?
  /// Files of a model that are downloaded at once.
  public var parallelDownloads = 4

  /// How long a submission waits for the Hub.
  package var answerLimit = Duration.seconds(8)
  /// Before the first new try; each is twice as long as the one before.
  package var pause = Duration.seconds(1)
  /// Tries without progress, after which a download fails.
  package var tries = 8

  public init() {}

  init(_ values: ConfigurationValues) throws(ConfigurationError) {
    endpoint = try values.string(.hubEndpoint).map { text throws(ConfigurationError) in try Self.endpoint(text) }
    if let text = values.string(.hubToken) {
      guard text.utf8.count <= 4096, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw .invalidValue(
          key: ConfigurationKey.hubToken.rawValue, value: "\(Secret(text))", expected: "a token, without blanks and line ends")
      }
      token = Secret(text)
    }
    parallelDownloads = try values.integer(.parallelDownloads, in: 1...32) ?? parallelDownloads
  }

  private static func endpoint(_ text: String) throws(ConfigurationError) -> URL {
    let trimmed = String(text.reversed().drop { $0 == "/" }.reversed())
    guard let url = URL(string: trimmed), let scheme = url.scheme, ["http", "https"].contains(scheme), url.host?.isEmpty == false,
      url.user == nil, url.password == nil, url.query == nil, url.fragment == nil, !text.contains("@")
    else {
      throw .invalidValue(
        key: ConfigurationKey.hubEndpoint.rawValue, value: text.contains("@") ? "\(Secret(text))" : text,
        expected: "an address such as https://huggingface.co, without user, query and fragment")
    }
    return url
  }
}
