/* identity.c -- a certificate and its key, looked at before they are used: the
** library would only say that it could not start.
*/
#include "call.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

static gnutls_datum_t datum_of(const char *text)
{
  gnutls_datum_t datum = {(unsigned char *)text, (unsigned)strlen(text)};

  return datum;
}

static int look_at_certificate(const char *text, struct cell_error *error)
{
  gnutls_datum_t datum = datum_of(text);
  gnutls_x509_crt_t *list = NULL;
  unsigned i, count = 0;
  int code =
    gnutls_x509_crt_list_import2(&list, &count, &datum, GNUTLS_X509_FMT_PEM, 0);

  if (code < 0)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "certificate: not the chain of one in PEM: %s",
                     gnutls_strerror(code));
  for (i = 0; i < count; i++)
    gnutls_x509_crt_deinit(list[i]);
  gnutls_free(list);
  return 0;
}

static int look_at_key(const char *text, struct cell_error *error)
{
  gnutls_datum_t datum = datum_of(text);
  gnutls_x509_privkey_t key;
  int code = gnutls_x509_privkey_init(&key);

  if (code >= 0) {
    code =
      gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_x509_privkey_deinit(key);
  }
  if (code == GNUTLS_E_DECRYPTION_FAILED)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "key: it has a password; give one without");
  return code >= 0 ? 0
                   : cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                               "key: not a private key in PEM: %s",
                               gnutls_strerror(code));
}

static int look_at_both(const struct cell_server_identity *identity,
                        struct cell_error *error)
{
  gnutls_datum_t certificate = datum_of(identity->certificate);
  gnutls_datum_t key = datum_of(identity->key);
  gnutls_certificate_credentials_t both;
  int code = gnutls_certificate_allocate_credentials(&both);

  if (code >= 0) {
    code = gnutls_certificate_set_x509_key_mem2(both, &certificate, &key,
                                                GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_certificate_free_credentials(both);
  }
  if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "the key is not that of the certificate, which is to be "
                     "the first of its file");
  return code >= 0
           ? 0
           : cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                       "certificate and key: %s", gnutls_strerror(code));
}

int cell_mhd_check_identity(const struct cell_server_identity *identity,
                            struct cell_error *error)
{
  if (look_at_certificate(identity->certificate, error) < 0 ||
      look_at_key(identity->key, error) < 0)
    return -1;
  return look_at_both(identity, error);
}
