package broker

// What may be wrong with a password that a server refuses. Whoever has it sees no difference: echo adds a newline to what is
// piped into base64, and a variable that is not set makes an empty value.
const (
	newlineHint = "the password ends in a newline, which may be the cause: make its Secret with kubectl create secret generic --from-literal, or encode it with printf '%s' and not with echo"
	emptyHint   = "no password was sent: see that it is set, and that its value is not empty"
)

// Refused is a refusal of the broker at a place, explained, for one who came with the password. Where it is the login that
// is refused, the words say what may be wrong with the password.
func Refused(reason Reason, at, explained string, password Secret, err error) error {
	switch {
	case reason != ReasonAuthenticationFailed:
	case password.Empty():
		explained += "; " + emptyHint
	case password.EndsInNewline():
		explained += "; " + newlineHint
	}
	return Fail(reason, at, explained, err)
}
