// Scans QR codes.
