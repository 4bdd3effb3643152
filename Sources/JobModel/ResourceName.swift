/// The pattern of the names of models and datasets: `[A-Za-z0-9._-]{1,96}`, and neither `.` nor `..`.
public enum ResourceName {
  public static func isValid(_ text: String) -> Bool {
    (1...96).contains(text.utf8.count) && text != "." && text != ".."
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}
