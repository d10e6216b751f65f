package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/scrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// Scheme is a kind of password hash.
type Scheme string

// The schemes that Hash makes.
const (
	Yescrypt Scheme = "yescrypt"
	SHA512   Scheme = "sha512"
	Bcrypt   Scheme = "bcrypt"
)

// maxPassword bounds what is hashed: SHA-crypt's time grows with the square of the length.
const maxPassword = 512

// errLocked is a hash that no password has: "*", "!" and the like, or nothing.
var errLocked = errors.New("locked")

// newDecoder knows the schemes that are good enough. MD5 and DES are not among them.
func newDecoder() (*crypt.Decoder, error) {
	d := crypt.NewDecoder()
	err := errors.Join(shacrypt.RegisterDecoder(d), scrypt.RegisterDecoderYescrypt(d), bcrypt.RegisterDecoderStandard(d))
	if err != nil {
		return nil, fmt.Errorf("password schemes: %w", err)
	}
	return d, nil
}

// parseHash understands the hash field of a passwd line.
func parseHash(d *crypt.Decoder, hash string) (algorithm.Digest, error) {
	if !strings.HasPrefix(hash, "$") {
		if hash == "" || hash == "x" || strings.HasPrefix(hash, "*") || strings.HasPrefix(hash, "!") {
			return nil, errLocked
		}
		return nil, errors.New("not a crypt(3) hash")
	}
	digest, err := d.Decode(hash)
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	return digest, nil
}

// Hash makes a hash for a passwd line. rounds is SHA-512's; 0 is crypt(3)'s default.
func Hash(password string, scheme Scheme, rounds int) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	h, err := newHasher(scheme, rounds)
	if err != nil {
		return "", err
	}
	digest, err := h.Hash(password)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return digest.Encode(), nil
}

func newHasher(scheme Scheme, rounds int) (algorithm.Hash, error) {
	switch {
	case scheme == SHA512:
		if rounds == 0 {
			rounds = shacrypt.IterationsDefaultOmitted
		}
		return shacrypt.New(shacrypt.WithSHA512(), shacrypt.WithIterations(rounds))
	case rounds != 0:
		return nil, fmt.Errorf("%s has no rounds", scheme)
	case scheme == Yescrypt:
		// N=4096, r=32: what Debian's pam_unix makes ("j9T").
		return scrypt.New(scrypt.WithVariant(scrypt.VariantYescrypt), scrypt.WithLN(12), scrypt.WithR(32), scrypt.WithP(1), scrypt.WithSaltLength(16))
	case scheme == Bcrypt:
		return bcrypt.New(bcrypt.WithVariant(bcrypt.VariantStandard), bcrypt.WithCost(10))
	}
	return nil, fmt.Errorf("unknown scheme %q: yescrypt, sha512 or bcrypt", scheme)
}

func checkPassword(p string) error {
	switch {
	case p == "":
		return errors.New("empty password")
	case len(p) > maxPassword:
		return fmt.Errorf("password of more than %d bytes", maxPassword)
	case strings.ContainsAny(p, "\x00\r\n"):
		return errors.New("password with a line end or NUL")
	}
	return nil
}
