import StrictJSON

extension JSONObject {
  /// The members that have a value.
  init(given members: [(String, JSONValue?)]) {
    self.init()
    for (key, value) in members { self[key] = value }
  }

  /// nil without members.
  var valueIfAny: JSONValue? { isEmpty ? nil : .object(self) }
}
