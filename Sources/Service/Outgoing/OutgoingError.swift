/// Why another server gave no usable answer.
enum OutgoingError: Error, Hashable, Sendable {
  /// No answer, or one that was cut.
  case unreachable(host: String, reason: String)
  /// An answer that isn't HTTP as it should be.
  case malformed(String)
  case noLibrary
  case cancelled
}
